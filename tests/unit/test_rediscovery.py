"""Schedules of chance, beside which the search is measured."""

from __future__ import annotations

import itertools

from harness.explore.points import Point
from harness.faults.plan import load
from tests.rediscovery import schedules_of_chance

POINTS = [
    Point("Keep", "", 4, 3),
    Point("Keep", "s3.PutObject", 20),
    Point("Keep", "sqs.SendMessageBatch", 2, resource="Letters"),
    Point("harness", "kinesis.PutRecords", 2),
]
COUNTS = {"PutObject": 20, "SendMessageBatch": 2, None: 4}


def test_chance_picks_the_same_each_time_and_only_what_can_be_met():
    some = list(itertools.islice(schedules_of_chance(POINTS), 50))
    assert some == list(itertools.islice(schedules_of_chance(POINTS), 50))
    assert len({schedule.name for schedule in some}) == 50
    for schedule in some:
        assert len(load(list(schedule.faults))) == 9
        for fault in schedule.faults:
            assert fault.get("caller") != "harness"
            first, last = map(int, (fault.get("calls") or fault["invocations"]).split("-"))
            assert 1 <= first <= last <= min(COUNTS[fault.get("operation")], first + 2)
