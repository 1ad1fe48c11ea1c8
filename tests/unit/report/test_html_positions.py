"""Where lost records stand in their files is said where they stand alike in all, and not by chance."""

from __future__ import annotations

import pytest

from harness.accounting.record import Status
from harness.report.html.document import Gathered, Kept
from harness.report.html.positions import Position, behind, told
from tests.unit.report.runs import LOST, PROMISED, STORED, Outcome, left_run


def of(within, places, many, header=1):
    return [Position(within, place, many, None if header is None else place + header) for place in places]


@pytest.mark.parametrize(
    ("standing", "files", "said"),
    [
        (of("in/a.csv", range(151, 201), 200), 1, "the last 50 records of a.csv (a.csv:152 to 201)"),
        (of("in/a.csv@v1", range(1, 11), 200), 1, "the first 10 records of a.csv (a.csv:2 to 11)"),
        (of("in/a.csv", range(21, 31), 200), 3, "10 records without a gap of a.csv (a.csv:22 to 31)"),
        (of("in/a.csv", range(1, 21), 20), 3, "all records of a.csv (a.csv:2 to 21)"),
        (of("in/a.csv", [200], 200) + of("in/b.csv", [90], 90), 2, "the last record of each of 2 files (of 2)"),
        (of("in/a.csv", [199, 200], 200) + of("in/b.csv", [90], 90), 2, "the last records of each of 2 files (of 2)"),
        (of("in/a.csv", range(101, 201), 200) + of("in/b.csv", range(1, 91), 90), 2, "the last records of each of 2 files (of 2)"),
        (of("shardId-0", range(190, 201), 200, None), 2, "the last 11 records of shardId-0 (190 to 200 of 200)"),
        (of(None, range(101, 201), 200, None), 0, "the last 100 records of the load (101 to 200 of 200)"),
    ],
)
def test_records_that_stand_alike_are_told(standing, files, said):
    assert told(standing, files) == said


@pytest.mark.parametrize(
    ("standing", "files"),
    [
        (of("in/a.csv", [3, 9, 17], 200), 1),
        (of("in/a.csv", [60], 60), 1),
        (of("in/a.csv", [3], 3) + of("in/b.csv", [3], 3), 2),
        (of("in/a.csv", range(191, 201), 200) + of("in/b.csv", range(1, 11), 200), 2),
        (of("in/a.csv", range(191, 201), 200) + of("in/b.csv", [3, 9], 200), 2),
        (of("in/a.csv", range(1, 21), 20) + of("in/b.csv", range(1, 21), 20), 2),
        (of(None, range(1, 21), 20), 0),
        (of(None, range(7, 11), 10), 2),
    ],
    ids=[
        "scattered",
        "one of many files may end",
        "few of short files",
        "otherwise in each",
        "in one scattered",
        "all files",
        "the whole load",
        "not the whole load",
    ],
)
def test_what_may_be_by_chance_or_differs_is_not(standing, files):
    assert told(standing, files) == ""


def position(directory, records, shard):
    left_run(directory, records, shard=shard)
    (group,) = (one for one in Gathered(directory).document(Kept())["clusters"] if one["anomaly"] == "lost")
    return group["position"]


@pytest.mark.parametrize("shard", ["in/a.csv", None])
def test_a_report_says_where_the_lost_ones_stand(tmp_path, shard):
    """A malformed record among them, which went to the dead letters, leaves no gap. What was rejected after them does not count."""
    dead = (Status.ACKED, Outcome.DEAD_LETTERED, "bad_json", None)
    refused = (Status.REJECTED, None, None, None)
    records = [*([STORED] * 20), LOST, LOST, dead, LOST, LOST, refused]
    expected = "the load (21 to 24 of 24)" if shard is None else "a.csv (a.csv:20 to 24)"
    assert position(tmp_path, records, shard) == f"the last 4 records of {expected}"


def test_those_in_the_midst_are_not_the_last(tmp_path):
    assert position(tmp_path, [*([STORED] * 20), *([LOST] * 4), (Status.ACKED, Outcome.STORED, None, PROMISED)], "in/a.csv") == (
        "4 records without a gap of a.csv (a.csv:20 to 23)"
    )


def test_those_behind_malformed_ones_are_told(tmp_path):
    """An open quote takes the rows behind it along."""
    dead = (Status.ACKED, Outcome.DEAD_LETTERED, "open_quote", PROMISED)
    records = [STORED, dead, LOST, LOST, STORED, dead, LOST, *([STORED] * 40), dead, LOST, STORED]
    assert position(tmp_path, records, "in/a.csv") == "right behind malformed records (open_quote)"


def test_what_half_of_the_load_stands_behind_is_by_chance():
    standing = [Position("a", place, 40, place, "open_quote", 0.5) for place in (3, 9, 17)]
    assert behind(standing) == ""
    seldom = [Position("a", place, 40, place, "open_quote", 0.1) for place in (3, 9, 17)]
    assert behind(seldom) == "right behind malformed records (open_quote)"
    assert behind([*seldom, Position("a", 30, 40, 30)]) == "", "one stands elsewhere"
