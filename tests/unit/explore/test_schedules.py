"""What is tried first: what is found most often, and at each point before it is tried at another call of one."""

from __future__ import annotations

import pytest

from harness.explore.points import Point
from harness.explore.schedules import Schedule, of_changes, of_points, smaller
from harness.faults.plan import load

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
        if kind == "denied" and not schedule.is_outage
    ]
    assert [call for _, call in order] == ["1"] * 3 + ["5"] * 3 + ["9"] * 3


def test_a_reply_that_is_lost_of_what_changes_nothing_comes_late():
    found = kinds(of_points(POINTS))
    assert found.index(("s3.GetObject", "reply_lost")) > found.index(("s3.PutObject", "error"))


def test_what_writes_and_an_invocation_come_late_once():
    late = [
        (*schedule.at[0][1::2], schedule.faults[0]["seconds"]) for schedule in of_points(POINTS) if "seconds" in schedule.faults[0]
    ]
    assert sorted(late) == [("", "lambda_slow", 2), ("dynamodb.BatchWriteItem", "latency", 2), ("s3.PutObject", "latency", 2)]


def test_what_lasts_until_the_faults_end_is_told_so():
    names = [schedule.name for schedule in of_points(POINTS)]
    assert "error AccessDenied of Keep → s3.PutObject of Bucket, call 1 and all after it" in names
    assert "throttle of Keep → s3.PutObject of Bucket, call 1-8" in names


PUT = {"service": "s3", "operation": "PutObject", "caller": "Keep", "resource": "Bucket"}
WRITE = {"service": "dynamodb", "operation": "BatchWriteItem", "caller": "Keep", "resource": "Table"}
AGAIN = Point("Keep", "", 4, calls=2)


def told(first, *after):
    """Returns the names of the pairs that begin with a fault, in the order in which they are tried, as far as they tell the second fault."""
    return [pair.name.partition(" and ")[2] for pair in of_changes(Schedule((first,), 2), POINTS, after)]


def test_the_first_calls_behind_a_fault_meet_a_second_one_before_any_other_call_that_there_was_before():
    put = Point("Keep", "s3.PutObject", 10, resource="Bucket", behind=("repeats",))
    write = Point("Keep", "dynamodb.BatchWriteItem", 9, resource="Table", behind=("after", "repeats"))
    pairs = told({"kind": "error", **PUT, "calls": "3"}, AGAIN, put, write)
    assert set(pairs[:8]) == {
        "error AccessDenied of Keep → s3.PutObject of Bucket, call 1 of a repetition",
        "reply_lost of Keep → s3.PutObject of Bucket, call 1 of a repetition",
        *(
            f"{what} of Keep → dynamodb.BatchWriteItem of Table, call 1 {where}"
            for what in ("error AccessDeniedException", "reply_lost", "partial")
            for where in ("behind that", "of a repetition")
        ),
    }
    # What is called by the retry alone comes after that, and so does an outage that all repetitions meet. Their last call needs no guess.
    assert "error AccessDenied of Keep → s3.PutObject of Bucket, call 10" in pairs[8:]
    assert (
        "error AccessDeniedException of Keep → dynamodb.BatchWriteItem of Table, call 1 and all after it of a repetition"
        in pairs[8:]
    )
    assert "error AccessDeniedException of Keep → dynamodb.BatchWriteItem of Table, call 9" not in pairs
    assert len(pairs) == len(set(pairs))


def test_what_the_invocation_does_once_more_meets_a_second_fault_before_all_else_that_there_was_before():
    put = Point("Keep", "s3.PutObject", 10, resource="Bucket", behind=("after", "repeats"))
    write = Point("Keep", "dynamodb.BatchWriteItem", 9, resource="Table", behind=("after",))
    pairs = told({"kind": "error", **PUT, "calls": "3"}, AGAIN, put, write)
    assert [name.partition(", ")[2] for name in pairs[:2]] == ["call 1 behind that"] * 2
    assert all("PutObject" in name for name in pairs[:2])


def test_the_first_call_of_what_is_called_at_no_other_time_is_met_once():
    publish = Point("Keep", "sns.Publish", 1, resource="Topic", behind=("after",))
    names = told({"kind": "error", **PUT, "calls": "3"}, publish)
    once = [name for name in names if name.startswith(("error AuthorizationError", "reply_lost")) and "all after" not in name]
    assert once == [
        "error AuthorizationError of Keep → sns.Publish of Topic, call 1 behind that",
        "reply_lost of Keep → sns.Publish of Topic, call 1 behind that",
    ]
    assert "throttle of Keep → sns.Publish of Topic, call 1-8" in names


def test_an_outage_of_what_only_the_fault_leads_to_meets_its_first_call_too():
    publish = Point("Keep", "sns.Publish", 1, resource="Topic", behind=("after", "repeats"))
    names = told({"kind": "error", **PUT, "calls": "3"}, publish)
    outage = "error AuthorizationError of Keep → sns.Publish of Topic, call 1 and all after it"
    assert {outage, f"{outage} of a repetition"} <= set(names)


def test_what_only_delays_has_a_second_fault_at_the_last_call_of_a_repetition():
    put = Point("Keep", "s3.PutObject", 9, resource="Bucket", behind=("repeats",))
    slow = {"kind": "lambda_slow", "function": "Keep", "invocations": "1", "seconds": 2}
    assert "error AccessDenied of Keep → s3.PutObject of Bucket, call 9" in told(slow, AGAIN, put)


def test_what_is_called_only_once_the_faults_have_ended_is_not_tried():
    late = Point("Keep", "sns.Publish", 0, resource="Topic")
    assert of_points([*POINTS, late]) == of_points(POINTS)
    assert told({"kind": "error", **PUT, "calls": "3"}, late) == []


def test_what_is_sent_again_because_it_failed_in_part_is_refused_then():
    write = Point("Keep", "dynamodb.BatchWriteItem", 12, resource="Table", behind=("after",))
    names = [pair.name for pair in of_changes(Schedule(({"kind": "partial", **WRITE, "calls": "1-8"},), 2), POINTS, [write])]
    first, second = "partial of Keep → dynamodb.BatchWriteItem of Table, call ", "error AccessDeniedException of Keep → dynamodb.BatchWriteItem of Table, call "  # fmt: skip
    assert {f"{first}1 and {second}1 behind that", f"{first}1-8 and {second}10"} <= set(names)


def test_two_faults_never_meet_the_same_call():
    more = [AGAIN, Point("Keep", "s3.PutObject", 12, resource="Bucket", behind=("after", "repeats"))]
    for kind, window in (("throttle", "1-8"), ("throttle", "3-1000000000"), ("error", "10"), ("partial", "1-11")):
        first = {"kind": kind, **PUT, "calls": window}
        for pair in of_changes(Schedule((first,), 2), POINTS, more):
            one, other = pair.faults
            if "repeats" in other or "after" in other:
                assert window != "3-1000000000", pair.name
                continue
            held = [
                set(range(int(text.split("-")[0]), min(int(text.split("-")[-1]), 99) + 1))
                for text in (one["calls"], other["calls"])
            ]
            assert held[0].isdisjoint(held[1]), pair.name


@pytest.mark.parametrize("first", of_points(POINTS), ids=lambda one: one.name)
def test_every_pair_is_a_plan(first):
    """Also where a function is invoked more often and makes no more calls than before, as in an outage."""
    few = [Point("Keep", "", 9, calls=2), *POINTS[1:3], Point("Keep", "s3.PutObject", 8, resource="Bucket", behind=("repeats",))]
    for pair in of_changes(first, POINTS, few):
        load(list(pair.faults))


@pytest.mark.parametrize(
    "first",
    [
        {"kind": "latency", "seconds": 2, **PUT, "calls": "1"},
        {"kind": "lambda_slow", "seconds": 2, "function": "Keep", "invocations": "1"},
    ],
)
def test_what_only_comes_late_has_nothing_behind_it(first):
    put = Point("Keep", "s3.PutObject", 9, resource="Bucket", behind=("after", "repeats"))
    assert told(first, put) == []


def test_a_pair_with_many_calls_becomes_one_that_follows_what_the_first_fault_has_met():
    first = {"kind": "error", **PUT, "calls": "1"}
    pair = (first, {"kind": "throttle", **WRITE, "calls": "3-1000000000"})
    names = [Schedule(one, 0).name.partition(" and ")[2].rpartition(", ")[2] for one in smaller(pair)][2:]
    outage = "call 1 and all after it of a repetition"
    assert names == ["call 3", "call 1-8 behind that", "call 1-8 of a repetition", outage, "call 3-10"]
    refused = (first, {"kind": "error", "code": "AccessDenied", "status": 403, **WRITE, "calls": "3-10"})
    names = [Schedule(one, 0).name.partition(" and ")[2].rpartition(", ")[2] for one in smaller(refused)][2:]
    assert names == ["call 3", "call 1 behind that", "call 1 of a repetition", "call 3-6", "call 3-9"]
    for one in (*smaller(pair), *smaller(refused)):
        load(list(one))


@pytest.mark.parametrize(
    "pair",
    [
        ({"kind": "error", **PUT, "calls": "1"}, {"kind": "throttle", **WRITE, "caller": "localstack", "calls": "3-8"}),
        ({"kind": "error", **PUT, "caller": "localstack", "calls": "1"}, {"kind": "throttle", **WRITE, "calls": "3-8"}),
        (
            {"kind": "error", **PUT, "calls": "1", "id": "the-first"},
            {"kind": "throttle", **WRITE, "calls": "1-8", "after": "the-first"},
        ),
        ({"kind": "throttle", **PUT, "calls": "1-8"},),
    ],
)
def test_what_follows_already_or_cannot_follow_becomes_only_narrower(pair):
    forms = [one for one in smaller(pair) if len(one) == len(pair)]
    assert len(forms) in {2, 3}
    assert all(one[-1].get("after") == pair[-1].get("after") and "repeats" not in one[-1] for one in forms)


def test_what_a_pair_is_made_of_stands_alone_without_the_other():
    put = Point("Keep", "s3.PutObject", 9, resource="Bucket", behind=("after",))
    pair = of_changes(Schedule(({"kind": "error", **PUT, "calls": "3"},), 2), POINTS, [put])[0]
    first, second = next(iter(smaller(pair.faults))), list(smaller(pair.faults))[1]
    assert "after" in pair.faults[1]
    for (alone,), whole in ((second, pair.faults[0]), (first, pair.faults[1])):
        assert alone == {key: value for key, value in whole.items() if key not in {"id", "after"}}
    load(list(pair.faults))
    load([*first, *second])
