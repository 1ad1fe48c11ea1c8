"""What Step Functions refuses in a definition: transitions that lead nowhere, fields that a state needs or may not have, values beyond their bounds.

LocalStack's grammar checks which fields there are. Sources: https://states-language.net/spec.html and
https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonata

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

_SCHEMA = "SCHEMA_VALIDATION_FAILED"
_TARGET = "MISSING_TRANSITION_TARGET"
_LONGEST_NAME = 80
_MOST_SECONDS = 99_999_999
_GOES_ON = {"Task", "Pass", "Wait", "Parallel", "Map"}
_MAY_FAIL = {"Task", "Parallel", "Map"}
_TYPES = _GOES_ON | {"Choice", "Succeed", "Fail"}
_PATHS = {"InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector", "ItemsPath"}
_OF_JSONATA = {"Arguments", "Output", "Items"}
_OF_TASK = {"TimeoutSeconds", "HeartbeatSeconds", "TimeoutSecondsPath", "HeartbeatSecondsPath", "Resource"}
_OF_FAILURE = {"Retry", "Catch"}
_NOT_LOOKED_INTO = {"Comment", "ItemProcessor", "Iterator", "Branches"}
_ONE_OF_WAIT = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")


@dataclass(frozen=True)
class Problem:
    """What is wrong, with AWS's code for it, and the place as a JSON pointer; of a machine as a whole AWS names none."""

    code: str
    message: str
    location: str | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message} at {self.location or 'null'}"

    def diagnostic(self) -> dict[str, str]:
        """Returns the problem as ValidateStateMachineDefinition tells it."""
        told = {"severity": "ERROR", "code": self.code, "message": self.message}
        return told if self.location is None else {**told, "location": self.location}


def problems(definition: str) -> list[Problem]:
    """Returns what is wrong with a definition. A text that is not a JSON object has no problem here: LocalStack's parser refuses it."""
    try:
        machine = json.loads(definition)
    except (ValueError, RecursionError):
        return []
    if not isinstance(machine, dict):
        return []
    names = Counter(_names(machine))
    twice = [
        Problem("DUPLICATE_STATE_NAME", f"Duplicate State name: {name}", "/States") for name, count in names.items() if count > 1
    ]
    return [*_of_machine(machine, "", machine.get("QueryLanguage", "JSONPath")), *twice]


def _names(machine: Any) -> Iterator[str]:
    states = machine.get("States") if isinstance(machine, dict) else None
    for name, state in states.items() if isinstance(states, dict) else ():
        yield name
        for _, inner in _inner(state):
            yield from _names(inner)


def _inner(state: Any) -> Iterator[tuple[str, Any]]:
    """Yields the machines within a state, each with its place."""
    if isinstance(state, dict):
        yield from ((key, state[key]) for key in ("ItemProcessor", "Iterator") if key in state)
        branches = state.get("Branches")
        yield from ((f"Branches[{n}]", one) for n, one in enumerate(branches if isinstance(branches, list) else ()))


def _of_machine(machine: Any, at: str, language: str) -> Iterator[Problem]:
    states = machine.get("States") if isinstance(machine, dict) else None
    if not isinstance(states, dict) or not states:
        yield Problem(_SCHEMA, "The field 'States' is required and must have a state", f"{at}/States")
        return
    start = machine.get("StartAt")
    if not _is_in(start, states):
        yield Problem(_TARGET, f"Missing 'Next' target: {start}", f"{at}/StartAt")
    for name, state in states.items():
        yield from _of_named(name, state, states, f"{at}/States/{name}", language)
    if _is_in(start, states):
        yield from _of_ways(start, states, at)


def _of_named(name: str, state: Any, states: dict[str, Any], at: str, language: str) -> Iterator[Problem]:
    if len(name) > _LONGEST_NAME:
        yield Problem("INVALID_STATE_NAME", f"State name is longer than {_LONGEST_NAME} characters", at)
    if not isinstance(state, dict) or not _is_in(state.get("Type"), _TYPES):
        yield Problem(_SCHEMA, f"The field 'Type' should be one of {sorted(_TYPES)}", f"{at}/Type")
        return
    spoken = state.get("QueryLanguage", language)
    if language == "JSONata" and spoken == "JSONPath":
        yield Problem(_SCHEMA, "A state of a JSONata machine cannot be of JSONPath", f"{at}/QueryLanguage")
    yield from _of_state(state, at, spoken)
    for key, target in _targets(state):
        if not _is_in(target, states):
            yield Problem(_TARGET, f"Missing 'Next' target: {target}", f"{at}/{key}")
    for key, inner in _inner(state):
        if isinstance(inner, dict) and "QueryLanguage" in inner:
            yield Problem(_SCHEMA, "Field 'QueryLanguage' is not supported", f"{at}/{key}")
        yield from _of_machine(inner, f"{at}/{key}", spoken)


def _of_ways(start: str, states: dict[str, Any], at: str) -> Iterator[Problem]:
    if not any(map(_ends, states.values())):
        yield Problem("MISSING_END_STATE", "Workflow has no terminal state")
        return
    reached = _reached(start, states)
    yield from (
        Problem(_TARGET, f'State "{name}" is not reachable.', f"{at}/States/{name}") for name in states if name not in reached
    )


def _targets(state: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the names of the states that may follow, each with the place of its transition."""
    yield from ((key, state[key]) for key in ("Next", "Default") if key in state)
    for field in ("Choices", "Catch"):
        rules = state.get(field)
        for n, rule in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(rule, dict) and "Next" in rule:
                yield f"{field}[{n}]/Next", rule["Next"]


def _reached(start: str, states: dict[str, Any]) -> set[str]:
    reached, todo = {start}, [start]
    while todo:
        state = states[todo.pop()]
        for _, target in _targets(state) if isinstance(state, dict) else ():
            if _is_in(target, states) and target not in reached:
                reached.add(target)
                todo.append(target)
    return reached


def _is_in(name: Any, names: Container[str]) -> bool:
    return isinstance(name, str) and name in names


def _ends(state: Any) -> bool:
    return isinstance(state, dict) and (state.get("End") is True or _is_in(state.get("Type"), {"Succeed", "Fail"}))


def _of_state(state: dict[str, Any], at: str, language: str) -> Iterator[Problem]:
    kind = state["Type"]
    yield from _of_transitions(state, at)
    foreign = (_PATHS if language == "JSONata" else _OF_JSONATA) | (set() if kind == "Task" else _OF_TASK)
    foreign |= set() if kind in _MAY_FAIL else _OF_FAILURE
    for key in sorted(foreign & state.keys()):
        yield Problem(_SCHEMA, f"Field '{key}' is not supported", at)
    if language == "JSONata":
        yield from _of_expressions(state, at)
    if kind == "Task":
        yield from _of_task(state, at)
    if kind == "Wait" and sum(key in state for key in _ONE_OF_WAIT) != 1:
        yield Problem(_SCHEMA, f"One of the fields {list(_ONE_OF_WAIT)} is required, and no more", at)
    if kind == "Parallel" and not (isinstance(state.get("Branches"), list) and state["Branches"]):
        yield Problem(_SCHEMA, "The field 'Branches' is required", f"{at}/Branches")
    if kind == "Map" and ("ItemProcessor" in state) == ("Iterator" in state):
        yield Problem(_SCHEMA, "The field 'ItemProcessor' is required", at)
    if kind == "Choice":
        yield from _of_choice(state, at)
    if kind in _MAY_FAIL:
        yield from _of_errors(state.get("Retry"), f"{at}/Retry", needs_next=False)
        yield from _of_errors(state.get("Catch"), f"{at}/Catch", needs_next=True)


def _of_transitions(state: dict[str, Any], at: str) -> Iterator[Problem]:
    kind = state["Type"]
    going = [key for key in ("Next", "End") if key in state and state[key] is not False]
    if kind in _GOES_ON and len(going) != 1:
        yield Problem(_SCHEMA, "One of the fields 'Next' and 'End' is required, and not both", at)
    if kind not in _GOES_ON:
        yield from (Problem(_SCHEMA, f"Field '{key}' is not supported", at) for key in going)


def _of_expressions(value: Any, at: str) -> Iterator[Problem]:
    """Yields the expressions below a place that are no JSONata. Machines within a state are looked at by themselves."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in _NOT_LOOKED_INTO:
                yield from _of_expressions(inner, f"{at}/{key}")
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _of_expressions(inner, f"{at}[{n}]")
    elif isinstance(value, str) and value.startswith("{%") and value.endswith("%}") and len(value) >= len("{%%}"):
        try:
            jsonata.Jsonata(value[2:-2].strip())
        except jsonata.JException as error:
            yield Problem(_SCHEMA, str(error), at)
        except Exception:  # noqa: BLE001, S110 - the library fails for expressions that are right, such as those with the regular expressions of JavaScript
            pass


def _of_task(state: dict[str, Any], at: str) -> Iterator[Problem]:
    resource = state.get("Resource")
    if not isinstance(resource, str):
        yield Problem(_SCHEMA, "The field 'Resource' is required", at)
    elif not resource.startswith("arn:"):
        yield Problem(_SCHEMA, "Value is not a valid resource ARN", f"{at}/Resource")
    limits = {key: state[key] for key in ("TimeoutSeconds", "HeartbeatSeconds") if _is_number(state.get(key))}
    for key, seconds in limits.items():
        if not 1 <= seconds <= _MOST_SECONDS:
            yield Problem(_SCHEMA, f"The value must be between 1 and {_MOST_SECONDS}", f"{at}/{key}")
    if len(limits) > 1 and limits["HeartbeatSeconds"] >= limits["TimeoutSeconds"]:
        yield Problem(_SCHEMA, "'HeartbeatSeconds' must be smaller than 'TimeoutSeconds'", f"{at}/HeartbeatSeconds")


def _of_choice(state: dict[str, Any], at: str) -> Iterator[Problem]:
    choices = state.get("Choices")
    if not isinstance(choices, list) or not choices:
        yield Problem(_SCHEMA, "The field 'Choices' is required and must have a rule", f"{at}/Choices")
        return
    for n, rule in enumerate(choices):
        if not isinstance(rule, dict) or "Next" not in rule:
            yield Problem(_SCHEMA, "The field 'Next' is required", f"{at}/Choices[{n}]")
        elif any("Next" in one for key in ("And", "Or", "Not") for one in _listed(rule.get(key)) if isinstance(one, dict)):
            yield Problem(_SCHEMA, "The field 'Next' is supported in a top-level rule alone", f"{at}/Choices[{n}]")


def _of_errors(rules: Any, at: str, *, needs_next: bool) -> Iterator[Problem]:
    """Yields what is wrong with a list of retriers or catchers."""
    for n, rule in enumerate(_listed(rules)):
        place = f"{at}[{n}]"
        names = rule.get("ErrorEquals") if isinstance(rule, dict) else None
        if not isinstance(names, list) or not names:
            yield Problem(_SCHEMA, "The field 'ErrorEquals' is required and must have a name", place)
            continue
        if "States.ALL" in names and (len(names) > 1 or n + 1 < len(_listed(rules))):
            yield Problem(_SCHEMA, "'States.ALL' must stand alone, and in the last rule", f"{place}/ErrorEquals")
        if needs_next and "Next" not in rule:
            yield Problem(_SCHEMA, "The field 'Next' is required", place)
        least = {"IntervalSeconds": 1, "MaxAttempts": 0, "BackoffRate": 1, "MaxDelaySeconds": 1}
        for key, bound in least.items():
            if _is_number(rule.get(key)) and not bound <= rule[key] <= _MOST_SECONDS:
                yield Problem(_SCHEMA, f"The value must be between {bound} and {_MOST_SECONDS}", f"{place}/{key}")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
