"""The check of an alarm, over a CloudWatch that changes its mind."""

from __future__ import annotations

import itertools
import json

import pytest

from harness.errors import UnknownVerdictError
from harness.parts.checks.alarm import Alarm
from tests.loads import context
from tests.unit.parts.places import Places


class CloudWatch:
    """An alarm that is in the next state at each look; `before` are the states that its history has."""

    def __init__(self, *states, before=()):
        self.states, self.before = list(states), list(before)

    def describe_alarms(self, **_):
        state = self.states[0] if len(self.states) == 1 else self.states.pop(0)
        self.before.append(state)
        return {"MetricAlarms": [{"StateValue": state}] if state else []}

    def get_paginator(self, _name):
        return self

    def paginate(self, **_):
        yield {"AlarmHistoryItems": [{"HistoryData": json.dumps({"newState": {"stateValue": state}})} for state in self.before]}


@pytest.mark.parametrize(
    ("states", "keys", "holds"),
    [
        (["OK", "ALARM"], {}, True),
        (["OK"], {}, False),
        (["OK", "ALARM", "OK"], {"rang": True, "state": "OK"}, True),
        (["ALARM"], {"rang": True, "state": "OK"}, False),
        (["OK"], {"rang": True, "state": "OK"}, False),
        (["OK"], {"rang": True}, False),
        (["OK"], {"rang": False}, True),
        (["OK", "ALARM", "OK"], {"rang": False}, False),
        (["ALARM", "OK"], {"rang": False}, False),
    ],
)
def test_the_state_and_whether_it_rang(monkeypatch, states, keys, holds):
    monkeypatch.setattr("harness.parts.checks.alarm._POLL_S", 0)
    # Each look at the clock is a second later.
    monkeypatch.setattr("harness.parts.checks.alarm.time.monotonic", itertools.count().__next__)
    found = Alarm(alarm="a", within_s=5, **keys).open(context(Places(cloudwatch=CloudWatch(*states))))
    assert found.holds is holds, found.text


def test_an_alarm_that_rang_before_the_check_rang(monkeypatch):
    monkeypatch.setattr("harness.parts.checks.alarm._POLL_S", 0)
    cloudwatch = CloudWatch("OK", before=["ALARM"])
    assert Alarm(alarm="a", rang=True, within_s=0).open(context(Places(cloudwatch=cloudwatch))).holds
    assert not Alarm(alarm="a", rang=False, within_s=0).open(context(Places(cloudwatch=cloudwatch))).holds


def test_an_alarm_that_is_not_there_is_told():
    with pytest.raises(UnknownVerdictError, match="there is no alarm a"):
        Alarm(alarm="a").open(context(Places(cloudwatch=CloudWatch(""))))
