"""EventBridge Scheduler's clock: it starts what is due, and nothing of a run that is under way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from harness.inside import journal
from harness.inside.events import scheduler

ACCOUNT = "000000000001"
BEGAN = datetime(2026, 1, 31, 8, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch):
    """Looks at a schedule so many minutes after it was made; returns the ARNs of those that were started so far."""
    started = []
    now = SimpleNamespace(value=BEGAN)
    monkeypatch.setattr(scheduler, "datetime", type("Clock", (datetime,), {"now": classmethod(lambda *_: now.value)}))
    monkeypatch.setattr(scheduler, "delivered", lambda *given: started.append(given[3]))
    monkeypatch.setattr(scheduler, "_looked_at", {})

    def look(expression, minutes):
        one = SimpleNamespace(
            arn=f"arn:{expression}", name="s", schedule_expression=expression, schedule_expression_timezone=None, creation_date=BEGAN.timestamp(), state="ENABLED",
            target={"Arn": "arn:aws:sqs:::q"},
        )  # fmt: skip
        now.value = BEGAN + timedelta(minutes=minutes)
        scheduler._look(ACCOUNT, "eu-west-1", SimpleNamespace(schedules={}), one)
        return started

    return look


EXPRESSIONS = ["rate(10 minutes)", "at(2026-01-31T08:10:00)"]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_due_is_started_once(clock, expression):
    assert clock(expression, 9) == []
    assert len(clock(expression, 11)) == len(clock(expression, 12)) == 1


@pytest.mark.parametrize(("expression", "after_the_run", "later"), [(EXPRESSIONS[0], 0, 1), (EXPRESSIONS[1], 1, 1)])
def test_in_a_run_nothing_is_started_and_after_it_only_what_names_a_single_time(
    monkeypatch, clock, expression, after_the_run, later
):
    monkeypatch.setitem(journal._journals, ACCOUNT, object())
    assert clock(expression, 11) == clock(expression, 12) == []
    monkeypatch.delitem(journal._journals, ACCOUNT)
    assert len(clock(expression, 13)) == after_the_run
    assert len(clock(expression, 23)) == later
