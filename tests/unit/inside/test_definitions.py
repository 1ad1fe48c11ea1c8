"""Definitions of state machines, which are read once: what is executed is made anew each time, and mistakes are told as before."""

from __future__ import annotations

import gc
import json
import weakref

import pytest
from localstack.services.stepfunctions.asl.parse import asl_parser
from localstack.services.stepfunctions.asl.static_analyser.variable_references_static_analyser import (
    VariableReferencesStaticAnalyser,
)

from harness.inside import forgotten
from harness.inside.patches import stepfunctions

PARSER = asl_parser.AmazonStateLanguageParser
RETRY = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}]
DEFINITION = json.dumps(
    {
        "StartAt": "Call",
        "States": {
            "Call": {
                "Type": "Task",
                "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f",
                "Retry": RETRY,
                "Assign": {"a.$": "$.b"},
                "Next": "Each",
            },
            "Each": {"Type": "Map", "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}, "End": True},
        },
    }
)


@pytest.fixture
def reads(monkeypatch):
    """Yields the definitions that are read in full."""
    read, parse = [], PARSER.parse

    def noted(definition):
        read.append(definition)
        return parse(definition)

    monkeypatch.setattr(PARSER, "parse", staticmethod(noted))
    stepfunctions.definitions.apply(asl_parser)
    return read


def shape(component):
    """Returns the components of a program, by their classes and texts."""
    if isinstance(component, list | tuple):
        return [shape(one) for one in component]
    if isinstance(component, dict):
        return {str(name): shape(one) for name, one in component.items()}
    if type(component).__module__.startswith("localstack"):
        return type(component).__name__, {name: shape(one) for name, one in sorted(vars(component).items())} if hasattr(
            component, "__dict__"
        ) else ""
    return str(component)


def test_a_definition_is_read_once_and_what_is_executed_is_made_each_time(reads):
    before, _ = asl_parser.AmazonStateLanguageParser.parse(DEFINITION)
    again, _ = PARSER.parse(DEFINITION)
    assert before is not again
    assert before.states is not again.states
    assert before.states.states["Call"] is not again.states.states["Call"]
    assert VariableReferencesStaticAnalyser.process_and_get(DEFINITION) == VariableReferencesStaticAnalyser.process_and_get(
        DEFINITION
    )
    assert reads == [DEFINITION]


def test_what_is_executed_is_the_same(reads):
    first, second = PARSER.parse(DEFINITION)[0], PARSER.parse(DEFINITION)[0]
    assert shape(second) == shape(first)


def test_a_mistake_is_told_each_time(reads):
    for _ in range(2):
        with pytest.raises(asl_parser.ASLParserException):
            PARSER.parse(json.dumps({"StartAt": 1}))
    assert len(reads) == 2


def test_what_was_read_goes_with_an_account(reads):
    tree = weakref.ref(PARSER.parse(DEFINITION)[1])
    assert tree() is not None
    forgotten.forget("000000000000")
    gc.collect()
    assert tree() is None
    PARSER.parse(DEFINITION)
    assert reads == [DEFINITION, DEFINITION]
