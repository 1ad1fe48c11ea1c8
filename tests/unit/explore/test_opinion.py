"""Whose fault a finding is, from what it came to on a second emulator."""

from __future__ import annotations

import contextlib

import pytest

from harness.accounting.verdict import Judgement
from harness.errors import UnknownVerdictError
from harness.explore import opinion
from harness.explore.search import Finding, Tried

PASS, FAIL, UNKNOWN = (Tried(judgement, ("why",)) for judgement in (Judgement.PASS, Judgement.FAIL, Judgement.UNKNOWN))
FAULTS = ({"kind": "throttle", "service": "s3", "operation": "PutObject", "caller": "Keep", "calls": "1"},)


@pytest.fixture
def asked(monkeypatch):
    """Asks for an opinion about a finding that failed so often of ten; its runs on the second emulator end so, or it does not come up."""

    def ask(reproduced, *outcomes, error=None):
        left = list(outcomes)

        class Running:
            place = "container localstack 9.9"

            def __call__(self, faults):
                assert faults == FAULTS
                return left.pop(0)

        @contextlib.contextmanager
        def running(*_, **__):
            if error:
                raise error
            yield Running()

        monkeypatch.setattr(opinion, "running", running)
        (found,) = opinion.second_opinions(
            "orders", None, None, None, None, lambda _: None, [Finding(FAULTS, FAIL, reproduced, 10)], seed=1, records=2
        )
        return found.opinion.text

    return ask


@pytest.mark.parametrize(
    ("reproduced", "outcomes", "text"),
    [
        (10, [FAIL] * 3, "the pipeline's: it fails in 3 of 3 runs on container localstack 9.9"),
        (6, [PASS, FAIL, PASS], "the pipeline's: it fails in 1 of 3 runs on container localstack 9.9"),
        (10, [PASS] * 3, "the emulator's, as it seems: it fails in 0 of 3 runs on container localstack 9.9"),
        (6, [PASS] * 3, "not decided: it fails in 0 of 3 runs on container localstack 9.9"),
        (10, [PASS, UNKNOWN, PASS], "not decided: it fails in 0 of 2 runs on container localstack 9.9 (why)"),
        (10, [UNKNOWN] * 3, "not decided: no verdict on container localstack 9.9 (why)"),
    ],
)
def test_whose_fault_it_is(asked, reproduced, outcomes, text):
    assert asked(reproduced, *outcomes) == text


def test_an_emulator_that_does_not_come_up_decides_nothing(asked):
    assert asked(10, error=UnknownVerdictError("no engine")) == "not decided: no verdict on it (no engine)"


def test_without_a_finding_nobody_is_asked(asked):
    assert opinion.second_opinions("orders", None, None, None, None, None, [], seed=None, records=None) == []
