"""The state machines of the sample, as Step Functions would take them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.inside.stepfunctions.validation import problems

PIPELINE = Path(__file__).parents[3] / "pipeline"
DEFINITIONS = sorted(PIPELINE.rglob("*.asl.json"))


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda path: str(path.relative_to(PIPELINE)))
def test_nothing_is_wrong_with_a_state_machine(definition):
    assert [str(problem) for problem in problems(definition.read_text())] == []
