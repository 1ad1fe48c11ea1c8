"""What is forgotten with an account, and what stays of others."""

from __future__ import annotations

from harness.inside import forgotten
from harness.inside.stepfunctions.clients import client_of

MINE, OTHER = (f"arn:aws:iam::{account}:role/machine" for account in ("000000000001", "000000000002"))


def test_the_clients_of_a_role_are_kept_until_its_account_is_forgotten():
    made = [client_of(role, "lambda", "us-east-1", object) for role in (MINE, OTHER)]
    forgotten.forget("000000000001")
    again = [client_of(role, "lambda", "us-east-1", object) for role in (MINE, OTHER)]
    assert again[0] is not made[0]
    assert again[1] is made[1]
    assert client_of(MINE, "lambda", "us-east-1", object) is again[0]
