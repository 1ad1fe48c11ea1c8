"""What is tried first: what is found most often, and at each point before it is tried at another call of one."""

from __future__ import annotations

from harness.explore.points import Point
from harness.explore.schedules import of_points

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
