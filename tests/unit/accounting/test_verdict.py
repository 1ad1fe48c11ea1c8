"""Verdicts: an account balances or does not exist, and unknown is never a pass."""

from __future__ import annotations

import pytest

from harness.accounting.verdict import ANOMALIES, Account, Ingress, Judgement, Outcomes, judge


def account(**anomalies):
    counts = dict.fromkeys(ANOMALIES, 0) | anomalies
    stored = 10 - counts["lost"]
    return Account(Ingress(offered=10, acked=10), Outcomes(stored=stored), counts, reconciled=True)


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


def test_a_run_without_records_is_unknown():
    assert judge(Account(reconciled=True), {}).judgement is Judgement.UNKNOWN


def test_healthy_records_that_never_got_in_are_a_doubt_unless_allowed():
    counts = dict.fromkeys(ANOMALIES, 0)
    rejected = Account(Ingress(10, 8, 0, 2), Outcomes(stored=8, rejected=2), counts, healthy_rejected=2, reconciled=True)
    assert judge(rejected, {}).judgement is Judgement.UNKNOWN
    assert judge(rejected, {"healthy_rejected": 2}).judgement is Judgement.PASS
    unanswered = Account(Ingress(10, 8, 2, 0), Outcomes(stored=8, unacknowledged=2), counts, reconciled=True)
    assert judge(unanswered, {}).judgement is Judgement.UNKNOWN
    assert judge(unanswered, {"unacknowledged": 2}).judgement is Judgement.PASS
