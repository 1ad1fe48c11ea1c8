"""Verdicts: an account balances or does not exist, and unknown is never a pass."""

from __future__ import annotations

import pytest

from harness.accounting.verdict import ANOMALIES, Account, Ingress, Judgement, Outcomes, TurnedAway, judge


def account(**anomalies):
    counts = dict.fromkeys(ANOMALIES, 0) | anomalies
    stored = 10 - counts["lost"] - counts["irrecoverable"]
    return Account(Ingress(offered=10, acked=10), Outcomes(stored=stored), counts, healthy_stored=stored, reconciled=True)


@pytest.mark.parametrize(
    ("ingress", "outcome", "lost"),
    [
        (Ingress(offered=10, acked=10), Outcomes(stored=9), 0),
        (Ingress(offered=10, acked=10), Outcomes(stored=10), 1),
        (Ingress(offered=10, acked=9), Outcomes(stored=10), 0),
        (Ingress(offered=10, acked=10, rejected=1), Outcomes(stored=10), 0),
    ],
)
def test_an_account_that_does_not_balance_does_not_exist(ingress, outcome, lost):
    with pytest.raises(AssertionError, match="does not balance"):
        Account(ingress, outcome, dict.fromkeys(ANOMALIES, 0) | {"lost": lost}, reconciled=True)


def test_no_anomaly_and_no_doubt_is_a_pass():
    assert judge(account(), {}).judgement is Judgement.PASS


@pytest.mark.parametrize("name", ANOMALIES)
def test_each_anomaly_fails_and_is_named(name):
    verdict = judge(account(**{name: 3}), {})
    assert verdict.judgement is Judgement.FAIL
    assert verdict.reasons == (f"3 of 10 records {name}",)


@pytest.mark.parametrize("name", ANOMALIES)
def test_an_allowed_anomaly_does_not_fail_and_one_more_does(name):
    assert judge(account(**{name: 3}), {name: 3}).judgement is Judgement.PASS
    assert judge(account(**{name: 3}), {name: 2}).judgement is Judgement.FAIL


def test_a_doubt_makes_the_verdict_unknown_whatever_was_counted():
    for counted in (account(), account(lost=1)):
        verdict = judge(counted, {}, ("not at rest",))
        assert verdict.judgement is Judgement.UNKNOWN
        assert verdict.reasons[0] == "not at rest"


def test_a_check_that_could_not_be_made_is_no_pass_and_hides_no_failure():
    assert judge(account(), {}, unchecked=("check x could not be made",)).judgement is Judgement.UNKNOWN
    for failed in (judge(account(lost=1), {}, (), (), ("unmade",)), judge(account(), {}, (), ("check y",), ("unmade",))):
        assert failed.judgement is Judgement.FAIL
        assert failed.reasons[-1] == "unmade"
    assert judge(account(lost=1), {}, ("not at rest",), (), ("unmade",)).judgement is Judgement.UNKNOWN


def test_a_run_without_records_is_unknown():
    assert judge(Account(reconciled=True), {}).judgement is Judgement.UNKNOWN


def test_healthy_records_that_never_got_in_are_a_doubt_unless_allowed():
    counts = dict.fromkeys(ANOMALIES, 0)
    rejected = Account(
        Ingress(10, 8, 0, 2), Outcomes(stored=8, rejected=2), counts, healthy_rejected=2, healthy_stored=8, reconciled=True
    )
    assert judge(rejected, {}).judgement is Judgement.UNKNOWN
    assert judge(rejected, {"healthy_rejected": 2}).judgement is Judgement.PASS
    unanswered = Account(Ingress(10, 8, 2, 0), Outcomes(stored=8, unacknowledged=2), counts, healthy_stored=8, reconciled=True)
    assert judge(unanswered, {}).judgement is Judgement.UNKNOWN
    assert judge(unanswered, {"unacknowledged": 2}).judgement is Judgement.PASS


def test_a_run_that_stored_no_healthy_record_shows_nothing():
    poison_only = Account(Ingress(10, 0, 0, 10), Outcomes(rejected=10), reconciled=True)
    verdict = judge(poison_only, {})
    assert verdict.judgement is Judgement.UNKNOWN
    assert "no healthy record was stored" in verdict.reasons[0]
    assert judge(poison_only, {}, shown=True).judgement is Judgement.PASS
    assert judge(poison_only, {}, unchecked=("no column",), shown=True).judgement is Judgement.PASS
    stored = Account(Ingress(10, 10), Outcomes(stored=10), healthy_stored=10, reconciled=True)
    assert judge(stored, {}, unchecked=("no column",), shown=True).judgement is Judgement.UNKNOWN
    all_malformed = judge(Account(Ingress(10, 0, 0, 10), Outcomes(rejected=10), malformed=10, reconciled=True), {})
    assert all_malformed.judgement is Judgement.UNKNOWN
    assert "every record of the load is malformed" in all_malformed.reasons[0]
    lost = dict.fromkeys(ANOMALIES, 0) | {"lost": 10}
    assert judge(Account(Ingress(10, 10), Outcomes(), lost, reconciled=True), {}).judgement is Judgement.FAIL
    assert judge(Account(Ingress(10, 10), Outcomes(), lost, reconciled=True), {"lost": 10}).judgement is Judgement.UNKNOWN


def test_a_refusal_that_is_not_about_the_record_is_a_doubt_and_names_what_was_said():
    outcome = Outcomes(stored=8, rejected=2)
    turned_away = TurnedAway(2, "HTTP 404: no such route")
    verdict = judge(Account(Ingress(10, 8, 0, 2), outcome, healthy_stored=8, turned_away=turned_away, reconciled=True), {})
    assert verdict.judgement is Judgement.UNKNOWN
    assert verdict.reasons == ("2 malformed records were refused for a reason that is not theirs (HTTP 404: no such route)",)
