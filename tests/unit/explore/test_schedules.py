"""What is tried first: what is found most often, and at each point before it is tried at another call of one."""

from __future__ import annotations

from harness.explore.points import Point
from harness.explore.schedules import Schedule, of_changes, of_points

POINTS = (
    Point("Keep", "", 3, calls=2),
    Point("Keep", "dynamodb.BatchWriteItem", 9, resource="Table"),
    Point("Keep", "s3.GetObject", 9, resource="Bucket"),
    Point("Keep", "s3.PutObject", 9, resource="Bucket"),
)


def kinds(schedules):
    return [(schedule.at[0][1], schedule.at[0][3]) for schedule in schedules]


def test_work_done_again_comes_first_then_failures_in_part_refusals_and_lost_replies():
    assert kinds(of_points(POINTS))[:7] == [
        ("", "lambda_error_after"),
        ("dynamodb.BatchWriteItem", "partial"),
        ("dynamodb.BatchWriteItem", "denied"),
        ("s3.GetObject", "denied"),
        ("s3.PutObject", "denied"),
        ("dynamodb.BatchWriteItem", "reply_lost"),
        ("s3.PutObject", "reply_lost"),
    ]


def test_each_point_meets_a_kind_once_before_any_meets_it_at_another_call():
    order = [
        (kind, schedule.faults[0]["calls"])
        for schedule, (_, kind) in zip(of_points(POINTS), kinds(of_points(POINTS)), strict=True)
        if kind == "denied"
    ]
    assert [call for _, call in order] == ["1"] * 3 + ["5"] * 3 + ["9"] * 3


def test_a_reply_that_is_lost_of_what_changes_nothing_comes_late():
    found = kinds(of_points(POINTS))
    assert found.index(("s3.GetObject", "reply_lost")) > found.index(("s3.PutObject", "error"))


def test_what_lasts_until_the_faults_end_is_told_so():
    names = [schedule.name for schedule in of_points(POINTS)]
    assert "throttle of Keep → s3.PutObject of Bucket, call 1 and all after it" in names
    assert "throttle of Keep → s3.PutObject of Bucket, call 1-8" in names


def seconds(first, *after):
    """Returns of each pair what the second fault does at which calls, in the order in which they are tried, and the calls of the first fault."""
    pairs = of_changes(Schedule((first,), 2), POINTS, after)
    return {(pair.at[1][1], pair.at[1][3], pair.faults[1]["calls"]): pair.faults[0].get("calls") for pair in pairs}


PUT = {"service": "s3", "operation": "PutObject", "caller": "Keep", "resource": "Bucket"}
WRITE = {"service": "dynamodb", "operation": "BatchWriteItem", "caller": "Keep", "resource": "Table"}


def test_the_first_calls_behind_a_fault_meet_a_second_one_before_any_other_call_that_there_was_before():
    retry = Point("Keep", "", 4, calls=2)
    put, write = Point("Keep", "s3.PutObject", 10, resource="Bucket", behind=(4,)), Point("Keep", "dynamodb.BatchWriteItem", 9, resource="Table", behind=(2, 5))  # fmt: skip
    pairs = list(seconds({"kind": "error", **PUT, "calls": "3"}, retry, put, write))
    first = pairs[:8]
    assert {(call, place) for call, _, place in first} == {
        ("s3.PutObject", "4"),
        ("dynamodb.BatchWriteItem", "2"),
        ("dynamodb.BatchWriteItem", "5"),
    }
    assert {kind for _, kind, _ in first} == {"denied", "reply_lost", "partial"}
    # What is called by the retry alone, and the last call, come after that.
    assert ("s3.PutObject", "denied", "10") in pairs[8:]
    assert ("dynamodb.BatchWriteItem", "denied", "9") in pairs[8:]


def test_what_is_sent_again_because_it_failed_in_part_is_refused_then():
    more = Point("Keep", "dynamodb.BatchWriteItem", 12, resource="Table")
    assert seconds({"kind": "partial", **WRITE, "calls": "1-8"}, more)["dynamodb.BatchWriteItem", "denied", "2"] == "1"
    assert seconds({"kind": "partial", **WRITE, "calls": "1-8"}, more)["dynamodb.BatchWriteItem", "denied", "10"] == "1-8"


def test_two_faults_never_meet_the_same_call():
    more = [Point("Keep", "", 4, calls=2), Point("Keep", "s3.PutObject", 12, resource="Bucket", behind=(3, 9))]
    for kind, window in (("throttle", "1-8"), ("throttle", "3-1000000000"), ("error", "10"), ("partial", "1-11")):
        for pair in of_changes(Schedule(({"kind": kind, **PUT, "calls": window},), 2), POINTS, more):
            held = [
                set(range(int(one.split("-")[0]), min(int(one.split("-")[-1]), 99) + 1))
                for one in (fault["calls"] for fault in pair.faults)
            ]
            assert held[0].isdisjoint(held[1]), pair.name


def test_a_pair_is_tried_once():
    again = [Point("Keep", "", 4, calls=2), Point("Keep", "s3.PutObject", 10, resource="Bucket", behind=(10,))]
    pairs = [pair.name for pair in of_changes(Schedule(({"kind": "error", **PUT, "calls": "3"},), 2), POINTS, again)]
    assert len(pairs) == len(set(pairs))
