"""AWS's own policies, which Moto reads for each account anew: read once, as patched, and each account's own all the same."""

from __future__ import annotations

import pytest
from localstack.aws.patches import patch_moto_iam_config
from moto.iam import models

from harness.inside.patches import iam

BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
ONE, OTHER = "111111111111", "222222222222"


@pytest.fixture
def accounts(monkeypatch):
    """Returns a function: the backend of an account, before and after the patch."""
    patch_moto_iam_config()
    monkeypatch.setattr(models.IAMBackend, "_init_aws_policies", models.IAMBackend._init_aws_policies)
    return lambda account, partition="aws": models.IAMBackend(partition, account)


def told(policy):
    return (
        policy.arn,
        policy.path,
        policy.create_date,
        policy.default_version_id,
        [version.document for version in policy.versions],
    )


def test_an_account_has_the_same_policies_as_before(accounts):
    before = {arn: told(policy) for arn, policy in accounts(ONE).managed_policies.items()}
    iam.policies_of_aws.apply(models)
    after = accounts(ONE)
    assert {arn: told(policy) for arn, policy in after.managed_policies.items()} == before
    assert after.managed_policies[BASIC].account_id == ONE


def test_what_one_account_does_with_them_is_not_seen_in_another(accounts):
    iam.policies_of_aws.apply(models)
    one, other = accounts(ONE), accounts(OTHER)
    one.managed_policies[BASIC].attachment_count += 1
    one.managed_policies[BASIC].versions.append(None)
    one.managed_policies[BASIC].tags["a"] = "b"
    kept = other.managed_policies[BASIC]
    assert (kept.attachment_count, len(kept.versions), kept.tags) == (0, 1, {})
    assert kept.account_id == OTHER


def test_partitions_have_their_own_names_of_them(accounts):
    iam.policies_of_aws.apply(models)
    assert BASIC.replace("arn:aws:", "arn:aws-cn:") in accounts(ONE, "aws-cn").managed_policies


def test_localstack_can_patch_it_in_its_turn(accounts, monkeypatch):
    iam.policies_of_aws.apply(models)
    assert models.IAMBackend._init_aws_policies.__name__ == "_init_aws_policies"
    assert not hasattr(accounts(ONE).managed_policies[BASIC], "document")
    made = models.Policy.__init__

    def with_document(self, *arguments, **named):
        made(self, *arguments, **named)
        self.document = named["document"]

    monkeypatch.setattr(models.Policy, "__init__", with_document)
    assert "logs:PutLogEvents" in accounts(ONE).managed_policies[BASIC].document
