"""What causes a finding, from what it came to on a second emulator."""

from __future__ import annotations

import contextlib

import pytest

from harness.accounting.verdict import Judgement
from harness.errors import UnknownVerdictError
from harness.explore import opinion
from harness.explore.search import Finding, Tried

PASS, UNKNOWN = (Tried(judgement, ("why",)) for judgement in (Judgement.PASS, Judgement.UNKNOWN))
FAIL, OTHER = (Tried(Judgement.FAIL, ("why",), {name: 1}) for name in ("lost", "duplicated"))
FAULTS = ({"kind": "throttle", "service": "s3", "operation": "PutObject", "caller": "Keep", "calls": "1"},)
THERE = "on container localstack 9.9"


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Asks for opinions about findings. The runs on the second emulator end so, the first of them without faults; at an error it has ended."""

    def ask(findings, *outcomes):
        left = list(outcomes)

        class Running:
            place = "container localstack 9.9"
            failed = (tmp_path / "failed",)

            def __call__(self, faults):
                (tmp_path / "failed").mkdir(exist_ok=True)
                one = left.pop(0)
                if isinstance(one, Exception):
                    raise one
                return one

        @contextlib.contextmanager
        def running(*_, **__):
            if isinstance(outcomes[0], UnknownVerdictError):
                raise outcomes[0]
            yield Running()

        monkeypatch.setattr(opinion, "running", running)
        found = opinion.second_opinions("orders", None, None, None, None, lambda _: None, findings, seed=1, records=2)
        texts = [one.text for one in found]
        assert not (tmp_path / "failed").exists()
        return texts

    return ask


@pytest.mark.parametrize(
    ("reproduced", "outcomes", "text"),
    [
        (10, [FAIL] * 3, f"the pipeline: it fails in 3 of 3 runs {THERE}"),
        (6, [PASS, FAIL, PASS], f"the pipeline: it fails in 1 of 3 runs {THERE}"),
        (10, [PASS] * 3, f"the emulator, as it seems: it fails in 0 of 3 runs {THERE}"),
        (6, [PASS] * 3, f"not decided: it fails in 0 of 3 runs {THERE}"),
        (10, [PASS, UNKNOWN, PASS], f"not decided: it fails in 0 of 2 runs {THERE} (why)"),
        (10, [OTHER] * 3, f"not decided: no verdict {THERE} (why)"),
        (10, [UNKNOWN] * 3, f"not decided: no verdict {THERE} (why)"),
    ],
)
def test_what_causes_it(asked, reproduced, outcomes, text):
    assert asked([Finding(FAULTS, FAIL, reproduced, 10)], PASS, *outcomes) == [text]


@pytest.mark.parametrize("clean", [FAIL, UNKNOWN])
def test_where_the_run_without_faults_does_not_pass_nothing_is_decided(asked, clean):
    assert asked([Finding(FAULTS, FAIL, 10, 10)], clean) == [
        f"not decided: no verdict {THERE} (without faults it does not pass there: why)"
    ]


def test_one_run_without_faults_that_failed_is_not_steady(asked):
    assert asked([Finding((), FAIL, 1, 1)], PASS, PASS, PASS) == [f"not decided: it fails in 0 of 3 runs {THERE}"]


def test_an_emulator_that_does_not_come_up_decides_nothing(asked):
    text = "not decided: no verdict on the second emulator (no engine)"
    assert asked([Finding(FAULTS, FAIL, 10, 10)], UnknownVerdictError("no engine")) == [text]


def test_what_was_decided_before_the_emulator_ended_stays(asked):
    findings = [Finding(FAULTS, FAIL, 10, 10)] * 2
    texts = asked(findings, PASS, FAIL, FAIL, FAIL, UnknownVerdictError("it ended"))
    assert texts == [f"the pipeline: it fails in 3 of 3 runs {THERE}", "not decided: no verdict on the second emulator (it ended)"]
