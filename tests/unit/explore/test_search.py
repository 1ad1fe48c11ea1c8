"""The search finds what loses records in a pipeline that is described by what it loses, makes it as small as it can be, and counts what it did."""

from __future__ import annotations

import itertools
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.accounting.verdict import Judgement
from harness.explore.points import Point
from harness.explore.schedules import Schedule, of_changes, of_points, smaller
from harness.explore.search import Explored, Known, Limits, Tried, _Agenda, explore
from harness.explore.words import in_words
from harness.faults.plan import load

POINTS = (
    Point("Keep", "", 4, 3),
    Point("Keep", "s3.PutObject", 20),
    Point("Keep", "sqs.SendMessageBatch", 2),
    Point("harness", "kinesis.PutRecords", 5),
)


def calls_of(fault):
    first, _, last = str(fault.get("calls") or fault.get("invocations")).partition("-")
    return range(int(first), min(int(last or first), 40) + 1)


class Pipeline:
    """Loses a record where a schedule has all of some faults: (kind, operation or function, an event it must meet)."""

    def __init__(self, *needed, led_to=()):
        self.needed = needed
        self.led_to = led_to
        self.tried = []
        self._lock = threading.Lock()

    def __call__(self, faults):
        with self._lock:
            self.tried.append(faults)
        met = {(fault["kind"], fault.get("operation") or fault["function"], call) for fault in faults for call in calls_of(fault)}
        lost = sum(all(one in met for one in needed) for needed in self.needed)
        points = [*POINTS, *(point for kind, point in self.led_to if any(fault["kind"] == kind for fault in faults))]
        judgement = Judgement.FAIL if lost else Judgement.PASS
        return Tried(judgement, ("lost",) * lost, {"lost": lost}, tuple(points))


def explored(pipeline, depth=1, workers=2, over=lambda: False):
    return explore(pipeline, Limits(depth, workers, over), tell=lambda _: None)


def test_every_schedule_is_a_plan_that_meets_what_there_was():
    schedules = of_points(POINTS)
    assert len({schedule.name for schedule in schedules}) == len(schedules)
    assert [schedule.rank for schedule in schedules] == sorted(schedule.rank for schedule in schedules)
    for schedule in schedules:
        (fault,) = schedule.faults
        assert fault.get("caller") != "harness"
        assert min(calls_of(fault)) <= {"PutObject": 20, "SendMessageBatch": 2}.get(fault.get("operation"), 4)
        load(list(schedule.faults))


@pytest.mark.parametrize(
    ("needed", "smallest"),
    [
        (("throttle", "PutObject", 3), "throttle of Keep → s3.PutObject, call 1-3"),
        (("reply_lost", "PutObject", 20), "reply_lost of Keep → s3.PutObject, call 20"),
        (("partial", "SendMessageBatch", 1), "partial of Keep → sqs.SendMessageBatch, call 1"),
        (("lambda_killed_after", "Keep", 1), "lambda_killed_after of Keep, invocation 1"),
    ],
)
def test_what_one_fault_loses_is_found_and_made_small(needed, smallest):
    found = explored(Pipeline([needed]))
    assert [finding.name for finding in found.findings] == [smallest]
    assert (found.findings[0].reproduced, found.findings[0].runs) == (10, 10)
    assert found.judgement is Judgement.FAIL
    assert found.tried == found.survived + 1 + found.findings[0].alike == len(of_points(POINTS))
    assert (len(found.points), found.not_tried) == (4, 1)


def test_what_needs_two_faults_is_found_where_the_first_one_led_to_a_call():
    retry = Point("Keep", "sqs.SendMessageBatch", 3)
    letter = Point("Keep", "sns.Publish", 1)
    pipeline = Pipeline(
        [("throttle", "PutObject", 1), ("throttle", "Publish", 1)], led_to=[("throttle", retry), ("throttle", letter)]
    )
    assert explored(pipeline).judgement is Judgement.PASS
    found = explored(pipeline, depth=2)
    names = {finding.name for finding in found.findings}
    assert names == {"throttle of Keep → s3.PutObject, call 1 and throttle of Keep → sns.Publish, call 1"}


def test_a_second_fault_is_tried_only_where_there_are_calls_that_there_were_not():
    first = Schedule(({"kind": "throttle", "service": "s3", "operation": "PutObject", "caller": "Keep", "calls": "1-8"},), 1)
    assert of_changes(first, POINTS, POINTS) == []
    more = [*POINTS[:1], Point("Keep", "s3.PutObject", 25), *POINTS[2:]]
    second = {schedule.faults[1]["calls"] for schedule in of_changes(first, POINTS, more)}
    assert all(schedule.faults[1]["operation"] == "PutObject" for schedule in of_changes(first, POINTS, more))
    assert second == {"21", "21-28", "21-1000000000"}


def test_where_a_function_was_invoked_again_the_last_call_or_all_of_the_retry_may_fail_too():
    first = Schedule(({"kind": "error", "service": "s3", "operation": "PutObject", "caller": "Keep", "calls": "1"},), 1)
    again = [Point("Keep", "", 5, 3), *POINTS[1:]]
    assert {(schedule.faults[1]["operation"], schedule.faults[1]["calls"]) for schedule in of_changes(first, POINTS, again)} == {
        ("PutObject", "20"), ("PutObject", "2-1000000000"), ("SendMessageBatch", "2"), ("SendMessageBatch", "1-1000000000"),
    }  # fmt: skip


def test_the_second_faults_of_what_finds_most_by_itself_come_first():
    one, other = (
        Schedule(({"kind": kind, "service": "s3", "operation": "PutObject", "caller": "Keep", "calls": "1"},), rank)
        for kind, rank in (("error", 2), ("throttle", 4))
    )
    letter = [*POINTS, Point("Keep", "sns.Publish", 1)]
    more = [POINTS[0], Point("Keep", "s3.PutObject", 25), *POINTS[2:]]

    def ranks(first, after):
        return {schedule.rank for schedule in of_changes(first, POINTS, after)}

    assert min(ranks(one, letter)) < min(ranks(other, letter)) < min(ranks(one, more)) < min(ranks(other, more))


def test_a_pair_at_what_is_called_at_no_other_time_does_not_wait_for_single_faults_at_other_calls():
    letter = Point("Keep", "sns.Publish", 1)
    agenda = _Agenda(Known(), Explored(), depth=2)
    agenda.add(of_points(POINTS))
    first = next(one for one in agenda.todo if one.name == "error AccessDenied of Keep → s3.PutObject, call 1")
    agenda.add(of_changes(first, POINTS, [*POINTS, letter]))
    names = [one.name for one in agenda.todo]
    pair = names.index(f"{first.name} and error AuthorizationError of Keep → sns.Publish, call 1")
    assert names.index("error AccessDenied of Keep → sqs.SendMessageBatch, call 1") < pair
    assert pair < names.index("error AccessDenied of Keep → s3.PutObject, call 20")


def test_a_pipeline_that_loses_without_a_fault_is_not_explored_further():
    found = explored(Pipeline([]))
    assert (found.judgement, len(found.findings), found.tried) == (Judgement.FAIL, 1, 0)
    assert "without any fault" in next(in_words(found))


def test_without_a_verdict_of_the_clean_run_nothing_is_known():
    found = explored(lambda _: Tried(Judgement.UNKNOWN, ("not at rest",)))
    assert (found.judgement, found.doubt) == (Judgement.UNKNOWN, "the run without faults has no verdict: not at rest")


def test_what_never_met_its_event_is_counted_and_no_survivor():
    found = explored(lambda faults: Tried(Judgement.UNKNOWN if faults else Judgement.PASS, points=POINTS, met=not faults))
    assert (found.survived, found.unreached) == (0, found.tried)
    assert found.judgement is Judgement.UNKNOWN


def test_when_the_time_is_over_it_says_what_is_left():
    counter = itertools.count()
    found = explored(Pipeline(), workers=1, over=lambda: next(counter) > 6)
    assert found.tried > 0
    assert found.tried + found.left == len(of_points(POINTS))
    assert f"{found.left} left" in list(in_words(found))[-1]


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_schedules_are_tried_than_asked_for_and_they_are_the_first_ones(workers):
    found = explore(Pipeline(), Limits(workers=workers, most=5), tell=lambda _: None)
    assert (found.tried, found.left) == (5, len(of_points(POINTS)) - 5)
    assert {schedule.name for schedule, _ in found.outcomes} == {schedule.name for schedule in of_points(POINTS)[:5]}


def test_outages_wait_beside_the_others():
    """Each of them ends once all the others have ended, and these begin only once there is an outage."""
    others = sum(not schedule.is_outage for schedule in of_points(POINTS))
    ended, all_ended, has_begun = itertools.count(1), threading.Event(), threading.Event()

    def run(faults):
        if faults and Schedule(faults, 0).is_outage:
            has_begun.set()
            assert all_ended.wait(10), "an outage takes the room of another schedule"
        elif faults:
            assert has_begun.wait(10), "an outage waits until there is nothing else"
            if next(ended) == others:
                all_ended.set()
        return Tried(Judgement.PASS, (), {}, POINTS)

    assert explore(run, Limits(workers=1), tell=lambda _: None).left == 0


@pytest.mark.parametrize("depth", [1, 2])
def test_what_leads_no_further_is_tried_the_quick_way_and_what_it_finds_is_made_small_the_other(depth):
    letter = Point("Keep", "sns.Publish", 1)
    slow, quick = (Pipeline([("throttle", "Publish", 1)], led_to=[("error", letter)]) for _ in range(2))
    if depth == 1:
        slow, quick = Pipeline([("throttle", "PutObject", 1)]), Pipeline([("throttle", "PutObject", 1)])
    found = explore(slow, Limits(depth), tell=lambda _: None, quick=quick)
    assert found.judgement is Judgement.FAIL
    assert {len(faults) for faults in quick.tried} == {depth}
    assert slow.tried[0] == (), "the clean run"
    (finding,) = found.findings
    assert slow.tried.count(finding.faults) >= 10, "how often it fails"


def test_a_search_for_the_first_one_ends_there():
    found = explore(Pipeline([("throttle", "PutObject", 3)]), Limits(workers=1, first=True), tell=lambda _: None)
    assert [finding.name for finding in found.findings] == ["throttle of Keep → s3.PutObject, call 1-3"]
    assert found.left > 0
    assert found.tried + found.left == len(of_points(POINTS))


def test_what_runs_once_the_first_one_is_found_is_broken_off_and_is_left():
    """All outages last until they are broken off."""
    broken_off = threading.Event()
    pipeline = Pipeline([("reply_lost", "PutObject", 20)])

    def run(faults):
        if not (faults and Schedule(faults, 0).is_outage):
            return pipeline(faults)
        assert broken_off.wait(10), "an outage is waited for"
        return Tried(Judgement.UNKNOWN, ("the shared emulator has been stopped",))

    found = explore(run, Limits(workers=2, first=True), tell=lambda _: None, abandon=broken_off.set)
    assert [finding.name for finding in found.findings] == ["reply_lost of Keep → s3.PutObject, call 20"]
    assert (found.undecided, found.tried + found.left) == ([], len(of_points(POINTS)))


def test_what_is_known_to_survive_is_not_tried_and_what_other_code_has_met_comes_last():
    names = [schedule.name for schedule in of_points(POINTS)]
    found = explore(Pipeline(), Limits(workers=1), tell=lambda _: None, known=Known(frozenset(names[:4])))
    assert (found.known, found.tried) == (4, len(names) - 4)
    assert "4 more known to survive" in list(in_words(found))[-1]
    found = explore(Pipeline(), Limits(workers=1), tell=lambda _: None, known=Known(other=frozenset(names[:4])))
    # An outage waits, and begins when there is room for it.
    outages = {schedule.name for schedule in of_points(POINTS) if schedule.is_outage}
    tried = [schedule.name for schedule, _ in found.outcomes if schedule.name not in outages]
    assert tried == [name for name in names[4:] + names[:4] if name not in outages]
    found = explore(Pipeline(), Limits(), tell=lambda _: None, known=Known(frozenset(names)))
    assert (found.tried, found.judgement) == (0, Judgement.PASS)


def test_a_smaller_form_that_fails_at_times_is_not_taken():
    """Calls of several invocations at once come in any order: a narrow window meets another one in the next run."""
    counts = itertools.count()

    def run(faults):
        if not faults:
            return Tried(Judgement.PASS, points=POINTS)
        (fault,) = faults
        throttled = (fault["kind"], fault.get("operation")) == ("throttle", "PutObject")
        fails = throttled and (len(calls_of(fault)) > 3 or next(counts) % 3 < 2)
        return Tried(Judgement.FAIL if fails else Judgement.PASS, anomalies={"lost": int(fails)}, points=POINTS)

    (found,) = explored(run, workers=1).findings
    assert found.name == "throttle of Keep → s3.PutObject, call 1-4"
    assert (found.reproduced, found.runs) == (10, 10)


def test_what_survived_alone_is_tried_again_where_it_may_lead_to_a_pair():
    letter = Point("Keep", "sns.Publish", 1)
    pipeline = Pipeline([("throttle", "PutObject", 1), ("throttle", "Publish", 1)], led_to=[("throttle", letter)])
    alone = explored(pipeline)
    assert alone.judgement is Judgement.PASS
    survived = Known(frozenset(schedule.name for schedule, _ in alone.outcomes))
    assert explore(pipeline, Limits(), tell=lambda _: None, known=survived).tried == 0
    assert explore(pipeline, Limits(depth=2), tell=lambda _: None, known=survived).judgement is Judgement.FAIL


def test_pairs_that_are_alike_come_last_and_are_tried_all_the_same():
    letter = Point("Keep", "sns.Publish", 1)
    led_to = [("throttle", letter), ("error", letter), ("partial", letter)]
    found = explored(Pipeline([("throttle", "PutObject", 3), ("throttle", "Publish", 1)], led_to=led_to), depth=2, workers=1)
    assert found.judgement is Judgement.FAIL
    assert found.left == 0
    names = [schedule.name for schedule, _ in found.outcomes]
    assert len(set(names)) == len(names)


def test_of_pairs_those_that_are_new_come_before_those_that_are_alike():
    letter = Point("Keep", "sns.Publish", 1)
    agenda = _Agenda(Known(), Explored(), depth=2)
    for first in of_points(POINTS):
        agenda.add(of_changes(first, POINTS, [*POINTS, letter]))
    signatures = [schedule.signature for schedule in agenda.todo]
    new = len(set(signatures))
    assert len(set(signatures[:new])) == new < len(signatures)


def test_what_first_faults_lead_to_meets_each_second_fault_once_before_it_does_behind_another_first_one():
    letter = Point("Keep", "sns.Publish", 1)
    one, other = (
        Schedule(({"kind": "error", "service": "s3", "operation": call, "caller": "Keep", "calls": "1"},), 2)
        for call in ("PutObject", "GetObject")
    )
    agenda = _Agenda(Known(), Explored(), depth=2)
    agenda.add(of_changes(one, POINTS, [*POINTS, letter]))
    agenda.add(of_changes(other, POINTS, [*POINTS, letter]))
    firsts = [schedule.at[0][1] for schedule in agenda.todo if schedule.at[1][3] in {"denied", "reply_lost"}]
    assert firsts == ["s3.PutObject"] * 3 + ["s3.GetObject"] * 3


def test_findings_that_become_the_same_are_told_once():
    """With a first fault that has nothing to do with it, the second one alone loses."""
    letter = Point("Keep", "sns.Publish", 1)
    found = explored(Pipeline([("throttle", "Publish", 1)], led_to=[("error", letter), ("partial", letter)]), depth=2)
    assert [finding.name for finding in found.findings] == ["throttle of Keep → sns.Publish, call 1"]


def test_what_was_tried_is_known_where_the_search_is_broken_off():
    def run(faults):
        # An outage begins with the first ones.
        if faults and faults[0]["kind"] == "throttle" and not Schedule(faults, 0).is_outage:
            raise KeyboardInterrupt
        return Tried(Judgement.PASS, points=POINTS)

    found = Explored()
    with pytest.raises(KeyboardInterrupt):
        explore(run, Limits(workers=1), tell=lambda _: None, found=found)
    assert len(found.outcomes) == found.tried > 0


def test_for_each_function_is_told_after_which_call_a_kill_loses():
    found = explored(Pipeline([("lambda_killed_during", "Keep", 1)]))
    assert "Keep, killed after a call: LOST after 1-3" in list(in_words(found))
    assert "Keep, killed after a call: nothing is lost or doubled after 1-3" in list(in_words(explored(Pipeline())))


def test_an_error_ends_the_search():
    def run(faults):
        if faults:
            raise RuntimeError("the emulator is gone")
        return Tried(Judgement.PASS, points=POINTS)

    with pytest.raises(RuntimeError, match="the emulator is gone"):
        explored(run)


@settings(max_examples=50)
@given(st.data())
def test_what_is_found_cannot_be_made_smaller_and_still_fails(data):
    schedule = data.draw(st.sampled_from(of_points(POINTS)))
    (fault,) = schedule.faults
    event = data.draw(st.sampled_from(list(calls_of(fault))))
    pipeline = Pipeline([(fault["kind"], fault.get("operation") or fault["function"], event)])
    for finding in explored(pipeline).findings:
        assert pipeline(finding.faults).judgement is Judgement.FAIL
        assert all(pipeline(simpler).judgement is Judgement.PASS for simpler in smaller(finding.faults))


def test_what_has_no_verdict_though_its_faults_were_met_is_neither_survived_nor_unmet():
    found = explored(lambda faults: Tried(Judgement.UNKNOWN if faults else Judgement.PASS, ("3 stand elsewhere",), points=POINTS))
    assert (found.survived, found.unreached, found.lost, len(found.undecided)) == (0, 0, 0, found.tried)
    assert found.judgement is Judgement.UNKNOWN
    assert next(in_words(found)).endswith("3 stand elsewhere")


def test_one_schedule_without_a_verdict_makes_the_search_unknown_though_others_survived():
    def run(faults):
        unknown = any(fault["kind"] == "reply_lost" for fault in faults)
        return Tried(Judgement.UNKNOWN if unknown else Judgement.PASS, points=POINTS)

    found = explored(run)
    assert found.survived > 0
    assert found.judgement is Judgement.UNKNOWN


def test_a_smaller_form_must_lose_what_was_lost():
    """A narrow fault may keep an e-mail from being sent, where the outage loses records."""

    def run(faults):
        if not faults:
            return Tried(Judgement.PASS, points=tuple(POINTS))
        (fault,) = faults
        if ("code" in fault, fault.get("operation")) != (True, "PutObject"):
            return Tried(Judgement.PASS)
        lost = 1 if fault["calls"].endswith("-1000000000") else 0
        return Tried(Judgement.FAIL, ("no e-mail",), {"lost": lost})

    found = explore(run, Limits(), tell=lambda _: None)
    assert {finding.tried.anomalies["lost"] for finding in found.findings} == {0, 1}
    (loss,) = [finding for finding in found.findings if finding.tried.anomalies["lost"]]
    assert loss.faults[0]["calls"].endswith("-1000000000")


@pytest.mark.parametrize(("room", "at_once"), [(True, 6), (False, 1)])
def test_more_runs_begin_while_there_is_room(room, at_once):
    together = threading.Barrier(at_once)
    running, most = [], []

    def run(faults):
        if not faults:
            return Tried(Judgement.PASS, points=tuple(POINTS))
        running.append(1)
        most.append(len(running))
        if len(most) <= at_once:
            together.wait(20)
        running.pop()
        return Tried(Judgement.PASS)

    explore(run, Limits(workers=1, most=12, room=lambda: room), tell=lambda _: None)
    assert at_once <= max(most) <= (6 if room else 3)
