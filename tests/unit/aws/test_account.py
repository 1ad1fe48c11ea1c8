"""What AWS answers to the question whose credentials these are, by botocore's stubber."""

import pytest
from botocore.stub import Stubber

from harness.aws.account import Aws
from harness.emulator import clients
from harness.errors import UsageError

MINE = "111111111111"


@pytest.fixture
def sts(monkeypatch):
    """A client of STS that answers as it is told."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "dummy")
    of_aws = clients.Clients("", MINE, "eu-central-1", aws=True)
    with Stubber(of_aws("sts")) as stubber:
        yield stubber
    of_aws.close()


def test_the_account_that_was_named(sts):
    sts.add_response("get_caller_identity", {"Account": MINE, "Arn": f"arn:aws:iam::{MINE}:user/me", "UserId": "id"})
    place = Aws(MINE, "eu-central-1").start()
    assert (place.kind, place.version, place.endpoint, place.aws, place.region) == ("aws", "", "", True, "eu-central-1")
    assert place.abilities is None
    assert place.clients(MINE)("s3").meta.region_name == "eu-central-1"
    assert place.clients(MINE)("s3").meta.endpoint_url == "https://s3.eu-central-1.amazonaws.com"


def test_another_account(sts):
    sts.add_response("get_caller_identity", {"Account": "222222222222", "Arn": f"arn:aws:iam::{MINE}:user/me", "UserId": "id"})
    with pytest.raises(UsageError, match="these credentials are of account 222222222222, and --account says 111111111111"):
        Aws(MINE, "eu-central-1").start()


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "AccessDenied"])
def test_credentials_that_aws_does_not_take(sts, code):
    sts.add_client_error("get_caller_identity", code, "no")
    with pytest.raises(UsageError, match=rf"AWS does not say whose credentials these are: .*\({code}\)"):
        Aws(MINE, "eu-central-1").start()


@pytest.mark.parametrize("region", ["eu-central-9", "", "us_east_1"])
def test_a_region_that_there_is_not(region):
    with pytest.raises(UsageError, match="AWS has no such region"):
        Aws(MINE, region)


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_regions_of_all_partitions(region):
    Aws(MINE, region)


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [("localhost:4566", "is not an endpoint"), ("http://example.com", "is not this machine"), ("http://[", "is not an endpoint")],
)
def test_a_server_that_cannot_be_taken_for_aws(endpoint, says):
    with pytest.raises(UsageError, match=says):
        Aws(MINE, "eu-central-1", endpoint)


def test_a_profile_that_there_is_not(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "missing")
    with pytest.raises(UsageError, match=r"the configuration of AWS's SDK cannot be used: .*missing"):
        Aws(MINE, "eu-central-1")


def test_a_variable_that_names_another_server_is_not_followed(monkeypatch, sts):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert clients.Clients("", MINE, "eu-west-1", aws=True)("s3").meta.endpoint_url == "https://s3.eu-west-1.amazonaws.com"
