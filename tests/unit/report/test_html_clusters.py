"""Which anomalies belong together, and what is said to have gone wrong."""

from __future__ import annotations

import json

from harness.report.html.clusters import Anomaly, Failure, clusters
from harness.report.html.traits import in_common, traits
from harness.report.said import errors_in
from harness.run.trace import Hop

HANDED_OVER = Hop(
    {
        "kind": "call",
        "at_ms": 0,
        "id": "p",
        "name": "harness",
        "invocation": "",
        "call": "sqs.SendMessageBatch",
        "status": 200,
        "error": None,
        "put": None,
    },
    "it",
    ("partial-1",),
)


def invoked(id="i-1", error=None, log="", name="Store"):  # noqa: A002
    return Hop({"kind": "invocation", "at_ms": 9, "id": id, "name": name, "error": error, "took_ms": 5, "log": log}, "it")


def called(error=None, status=200, within="i-1", call="s3.PutObject", faults=(), how="it", at_ms=5):
    entry = {
        "kind": "call",
        "at_ms": at_ms,
        "id": "c",
        "name": "Store",
        "invocation": within,
        "call": call,
        "status": status,
        "error": error,
        "put": None,
    }
    return Hop(entry, how, tuple(faults))


def cause(*hops, failed_calls=None, record_id="id-1", anomaly="lost"):
    (found,) = clusters([Anomaly(0, record_id, anomaly, "seen nowhere", (), hops)], failed_calls or {})
    return found.how, found.failure, found.logged


def test_a_call_that_carried_the_record_and_failed_is_the_cause():
    hops = (HANDED_OVER, called("SlowDown", 503, faults=["throttle-1"]), invoked())
    assert cause(*hops) == ("own", Failure("Store", "s3.PutObject", "SlowDown", ("throttle-1",)), "")


def test_a_state_whose_catch_went_on_elsewhere_is_the_cause():
    entry = {"kind": "state", "at_ms": 7, "id": "arn:e", "name": "Machine at Load", "error": "E: no", "next": "Forget"}
    how, failure, _ = cause(invoked(error="E: no"), Hop({**entry, "next": None}, "it"), invoked("i-2", "E: no"), Hop(entry, "it"))
    assert (how, failure) == ("own", Failure("Machine at Load", "", "E: no", (), "state", "its Catch went on at Forget"))


def test_a_call_that_was_repeated_with_success_is_not_while_another_of_the_invocation_failed():
    other = Failure("Store", "dynamodb.PutItem", "Throttled", ())
    assert cause(called("SlowDown", 503), called(), invoked(), failed_calls={"i-1": other})[:2] == ("beside", other)
    met = Failure("Store", "s3.PutObject", "SlowDown", ("throttle-1",))
    assert cause(called("SlowDown", 503, faults=["throttle-1"]), called(), invoked())[:2] == ("overcome", met)
    assert cause(called("ConditionalCheckFailedException", 400), called(), invoked())[:2] == ("", Failure("Store", "", ""))


def test_what_met_the_offer_is_no_cause_of_what_the_pipeline_has_accepted():
    assert cause(HANDED_OVER, invoked()) == ("", Failure("Store", "", ""), "")
    assert cause(HANDED_OVER)[1] == Failure("harness", "sqs.SendMessageBatch", "answered 200", ("partial-1",))


def test_without_a_failure_the_log_tells():
    log = "START RequestId: x\nall is well\n" + json.dumps(
        {"level": "ERROR", "message": "not stored", "exception": "Traceback\n  x\nKeyError: 'a'"}
    )
    assert cause(invoked(log=log)) == ("logged", Failure("Store", "", ""), "not stored: KeyError: 'a'")


def test_what_lambda_says_of_an_error_is_told_in_few_words():
    log = json.dumps({"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"})
    assert cause(invoked(log=log)) == ("logged", Failure("Store", "", ""), "Runtime.ExitError: signal: killed")


def test_what_carried_the_record_itself_counts_before_what_carried_its_file():
    file = called("Throttled", 400, call="dynamodb.PutItem", how="its file")
    assert cause(called("SlowDown", 503), file)[1] == Failure("Store", "s3.PutObject", "SlowDown")
    # That another row of its file went well later repeats nothing of it.
    assert cause(called("SlowDown", 503), called(how="its file"))[0] == "own"
    assert cause(invoked(), called(how="its file"))[1] == Failure("Store", "", "")


def test_nothing_is_claimed_of_a_record_that_nothing_is_known_to_have_carried():
    assert cause() == ("", None, "")


def test_records_are_together_that_differ_in_ids_and_numbers_alone():
    def of(number, error, anomaly="lost", fields=(), why="seen nowhere"):
        return Anomaly(number, f"id-{number}", anomaly, why, fields, (invoked(error=error),))

    found = clusters(
        [
            of(0, "KeyError: 'a' of 17"), of(1, "KeyError: 'b' of 18"), of(2, "ValueError: c"),
            of(3, None, "corrupted", ("name", "age"), "name: promised A, found B"), of(4, None, "corrupted", ("name", "age"), "name: promised C, found D"),
            of(5, None, "corrupted", ("age",)),
        ],
        {},
    )  # fmt: skip
    assert [(one.anomaly, one.records) for one in found] == [
        ("lost", [0, 1]),
        ("lost", [2]),
        ("corrupted", [3, 4, 5]),
    ]
    assert found[2].why == "not as promised: age, name (2)"


def test_another_call_that_failed_loses_records_and_does_not_spoil_them():
    other = Failure("Store", "dynamodb.PutItem", "ConditionalCheckFailedException", ())
    assert cause(invoked(), failed_calls={"i-1": other})[:2] == ("beside", other)
    assert cause(invoked(), failed_calls={"i-1": other}, anomaly="corrupted")[:2] == ("", Failure("Store", "", ""))


def test_what_is_not_traced_is_not_explained():
    (told, untold) = clusters([Anomaly(n, "a", "lost", "seen nowhere", (), way) for n, way in enumerate([None, ()])], {})
    assert (told.how, told.failure, told.records) == ("", None, [1])
    assert (untold.how, untold.failure, untold.records) == ("untold", None, [0])


def test_what_overwrote_a_record_is_the_cause_before_what_failed():
    hops = (called("SlowDown", 503), called(), invoked(), called(within="i-2", how="overwrote"))
    assert cause(*hops)[:2] == ("taken", Failure("Store", "s3.PutObject", "overwrote what was stored of it"))


def test_a_group_says_what_its_contents_have_in_common_and_others_have_not():
    usual = [traits(json.dumps({"id": n, "country": "DE" if n % 10 else "FR", "city": "Bonn", "tip": 1})) for n in range(100)]
    lost = [{"id": n, "country": "FR", "city": "Orléans", "tax": {"rate": -1}} for n in range(200, 205)]
    anomalies = [Anomaly(n, f"id-{n}", "lost", "", (), None, traits(json.dumps(one))) for n, one in enumerate(lost)]
    (found,) = clusters(anomalies, {}, usual)
    assert (
        found.common
        == "city has characters beyond ASCII (of the others 0%); tax is there (of the others 0%); tax.rate is there (of the others 0%)"
    )
    (found,) = clusters(anomalies[:2], {}, usual)
    assert found.common == ""
    assert (
        in_common([traits('{"country": "FR", "tip": 1}')] * 3, usual)
        == "city is missing (of the others 0%); id is missing (of the others 0%); country is FR (of the others 10%)"
    )
    assert in_common(usual[:5], usual) == ""
    often = [traits('{"kind": "a"}')] * 7 + [traits('{"kind": "b"}')] * 3
    assert in_common([traits('{"kind": "a"}')] * 3, often) == "", "most of the others have it too"


def test_of_a_traceback_what_was_raised_is_told_and_not_where():
    lines = [
        "[ERROR] ClientError: An error occurred",
        "Traceback (most recent call last):",
        '  File "/app/a.py", line 3, in handler',
        "    raise error_class(response)",
    ]
    assert errors_in(lines) == lines[:1]
    assert errors_in(lines[2:]) == lines[3:], "where there is nothing else"


def test_contents_that_are_no_object_have_no_traits():
    assert traits(None) == traits("1,2") == traits("[1]") == frozenset()


def test_a_group_names_the_call_that_nearly_all_stored_records_had_on_their_way():
    sent = called(call="sqs.SendMessage")
    healthy = [(called(), sent, invoked())] * 9 + [(called(), invoked())]
    (found,) = clusters([Anomaly(0, "id-1", "lost", "", (), (called(), invoked()))], {}, (), healthy)
    assert found.missing == ("Store → sqs.SendMessage",)
    (found,) = clusters([Anomaly(0, "id-1", "lost", "", (), (called(), sent, invoked()))], {}, (), healthy)
    assert found.missing == ()
    (found,) = clusters([Anomaly(0, "id-1", "lost", "", (), (called(), invoked()))], {}, (), healthy[:4])
    assert found.missing == (), "too few to say"
    (found,) = clusters([Anomaly(0, "id-1", "lost", "", (), ())], {}, (), healthy)
    assert "Store → sqs.SendMessage" in found.missing, "nothing is known to have carried it"
    (found,) = clusters([Anomaly(0, "id-1", "lost", "", (), None)], {}, (), healthy)
    assert found.missing == (), "the report does not keep its way"


def test_the_earliest_call_that_carried_none_of_them_comes_first_though_not_all_ways_are_known():
    split, sent = called(call="s3.PutObject", at_ms=3), called(call="sqs.SendMessage", at_ms=7)
    healthy = [(sent, invoked())] * 2 + [(split, sent, invoked())] * 7
    lost = [Anomaly(number, f"id-{number}", "lost", "", (), (invoked(),)) for number in range(2)]
    (found,) = clusters(lost, {}, (), healthy)
    assert found.missing == ("Store → s3.PutObject", "Store → sqs.SendMessage")
    (found,) = clusters(lost[:1], {}, (), healthy)
    assert found.missing == ("Store → sqs.SendMessage",), "of one record it may be chance"


def test_a_call_that_failed_with_them_was_made():
    healthy = [(called(), invoked())] * 9
    failed = called("SlowDown", 503, how="its file")
    (found,) = clusters([Anomaly(0, "id-0", "lost", "", (), (failed, invoked()))], {}, (), healthy)
    assert found.missing == ()


def test_one_failure_befalls_records_of_all_kinds():
    hops = (called("SlowDown", 503), invoked())
    whys = ("healthy, and given up", "healthy, and given up", "to be dropped, and given up")
    (found,) = clusters([Anomaly(n, f"id-{n}", "misrouted", why, (), hops) for n, why in enumerate(whys)], {})
    assert (len(found.records), found.why) == (3, "healthy, and given up (2); to be dropped, and given up (1)")


def test_records_whose_way_is_not_kept_join_the_only_group_of_their_kind():
    told, untold = (
        Anomaly(0, "id-1", "lost", "gone", (), (called(), invoked())),
        [Anomaly(n, f"id-{n}", "lost", "gone", (), None) for n in (2, 3)],
    )
    (found,) = clusters([told, *untold], {})
    assert (found.records, found.untold, found.failure.who) == ([0, 2, 3], 2, "Store")
    another = Anomaly(4, "id-4", "lost", "gone", (), (called("SlowDown", 503),))
    assert [one.untold for one in clusters([told, *untold, another], {})] == [0, 0, 0]
    assert [one.how for one in clusters([told, *untold, another], {})][-1] == "untold"


def test_malformed_records_of_one_cause_are_one_group_whatever_their_kind():
    """What they contain is not known: nothing is said to be missing in it."""
    anomalies = [
        Anomaly(place, f"id-{place}", "lost", f"accepted, and seen nowhere afterwards; it is malformed ({kind})", (), (invoked(),))
        for place, kind in enumerate(("bad_date", "empty_row", "bad_date"))
    ]
    usual = [traits('{"price": 1}')] * 10
    (group,) = clusters(anomalies, {}, usual)
    assert (len(group.records), group.why) == (3, "accepted, and seen nowhere afterwards; it is malformed")
    assert group.common == ""


def test_malformed_records_lack_what_other_malformed_ones_had_on_their_way():
    healthy = [(called(call="dynamodb.PutItem"), invoked())] * 6
    refused = [(called(call="sqs.SendMessage"), invoked())] * 6
    lost = [Anomaly(0, "id-0", "lost", "seen nowhere", (), (invoked(),), malformed=True)]
    (group,) = clusters(lost, {}, (), healthy, refused)
    assert group.missing == ("Store → sqs.SendMessage",)


def test_the_last_step_of_a_file_tells_records_apart_in_nothing():
    def of(number, name):
        return Anomaly(number, f"id-{number}", "lost", "gone", (), (Hop(invoked(name=name).entry, "its file"),))

    (found,) = clusters([of(0, "Split"), of(1, "Merge")], {})
    assert (found.records, found.how) == ([0, 1], "file")


def test_where_something_failed_what_did_not_follow_is_not_told():
    healthy = [(called(), called(call="sqs.SendMessage"), invoked())] * 9
    (found,) = clusters([Anomaly(0, "id-0", "lost", "", (), (called("SlowDown", 503), invoked()))], {}, (), healthy)
    assert (found.how, found.missing) == ("own", ())
