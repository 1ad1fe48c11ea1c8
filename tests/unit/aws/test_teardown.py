"""What is removed from AWS, and what is left alone, by botocore's stubber: an emulator has not all of AWS's marks."""

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from harness.aws.stack import made
from harness.aws.teardown import leftovers, remove
from harness.emulator.clients import Clients

ACCOUNT, REGION, STACK = "111111111111", "eu-central-1", "pp-own-1"
ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/1"
PACKAGES = f"{STACK}-code-{ACCOUNT}"
DESCRIBED = {"StackName": STACK, "StackId": ID, "CreationTime": datetime(2026, 1, 1, tzinfo=UTC), "StackStatus": "CREATE_COMPLETE"}


@pytest.fixture
def aws(monkeypatch):
    """Clients of AWS itself, and what they answer: a stubber for each service."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "dummy")
    clients = Clients("", ACCOUNT, REGION, aws=True)
    with ExitStack() as stack:
        stubs = {name: stack.enter_context(Stubber(clients(name))) for name in ("cloudformation", "s3", "logs")}
        yield clients, stubs
    clients.close()


def row(kind, identity, status="CREATE_COMPLETE"):
    return {
        "LogicalResourceId": "R", "ResourceType": kind, "PhysicalResourceId": identity, "ResourceStatus": status,
        "LastUpdatedTimestamp": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip


def lists(stubs, stack, *rows):
    stubs["cloudformation"].add_response("list_stack_resources", {"StackResourceSummaries": list(rows)}, {"StackName": stack})


def empties(stubs, bucket):
    stubs["s3"].add_response("list_multipart_uploads", {}, {"Bucket": bucket})
    stubs["s3"].add_response("list_object_versions", {}, {"Bucket": bucket})


def described(stubs, status="CREATE_COMPLETE", tag=STACK, name=STACK):
    stack = {**DESCRIBED, "StackStatus": status, "Tags": [{"Key": "pipeproof", "Value": tag}]}
    stubs["cloudformation"].add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": name})


def deletes(stubs):
    described(stubs, name=ID)
    stubs["cloudformation"].add_response("delete_stack", {}, {"StackName": STACK})


def without_packages(stubs):
    stubs["s3"].add_client_error("list_multipart_uploads", "NoSuchBucket")


def test_what_could_not_be_created_is_not_the_stacks(aws):
    clients, stubs = aws
    nested = ID.replace(STACK, "nested")
    lists(
        stubs,
        STACK,
        row("AWS::S3::Bucket", "of-somebody", "CREATE_FAILED"),
        row("AWS::S3::Bucket", "own"),
        row("AWS::CloudFormation::Stack", nested),
    )
    lists(stubs, nested, row("AWS::S3::Bucket", "inner"))
    found = made(clients, STACK)
    assert found.buckets == ["own", "inner"]
    assert found.stacks == (STACK, nested)


def test_only_a_bucket_that_cloudformation_has_marked_is_emptied(aws):
    clients, stubs = aws
    described(stubs)
    lists(stubs, ID, row("AWS::S3::Bucket", "own"), row("AWS::S3::Bucket", "imported"))
    for bucket, of in (("own", ID), ("imported", ID.replace(STACK, "production"))):
        tags = {"TagSet": [{"Key": "aws:cloudformation:stack-id", "Value": of}]}
        stubs["s3"].add_response("get_bucket_tagging", tags, {"Bucket": bucket})
        if bucket == "own":
            empties(stubs, bucket)
    deletes(stubs)
    described(stubs, "DELETE_COMPLETE", name=ID)
    lists(stubs, ID, row("AWS::S3::Bucket", "imported", "DELETE_SKIPPED"), row("AWS::S3::Bucket", "own", "DELETE_COMPLETE"))
    without_packages(stubs)
    assert remove(clients, STACK) == ["AWS::S3::Bucket imported: its DeletionPolicy keeps it"]


def test_a_bucket_that_is_written_to_meanwhile_is_emptied_again(aws):
    clients, stubs = aws
    described(stubs)
    lists(stubs, ID, row("AWS::S3::Bucket", "own"))
    for status in ("DELETE_FAILED", "DELETE_COMPLETE"):
        stubs["s3"].add_response("get_bucket_tagging", {"TagSet": [{"Key": "aws:cloudformation:stack-id", "Value": ID}]})
        empties(stubs, "own")
        deletes(stubs)
        described(stubs, status, name=ID)
    lists(stubs, ID)
    without_packages(stubs)
    assert remove(clients, STACK) == []


def test_a_stack_that_does_not_go_is_named_with_its_resources(aws):
    clients, stubs = aws
    described(stubs)
    lists(stubs, ID, row("AWS::SQS::Queue", "queue"))
    for _ in range(3):
        deletes(stubs)
        described(stubs, "DELETE_FAILED", name=ID)
    lists(stubs, ID, {**row("AWS::SQS::Queue", "queue", "DELETE_FAILED"), "ResourceStatusReason": "denied"})
    without_packages(stubs)
    assert remove(clients, STACK) == ["AWS::SQS::Queue queue: denied", f"stack {STACK}: it is DELETE_FAILED"]


def test_a_stack_that_is_being_updated_is_waited_for(aws, monkeypatch):
    clients, stubs = aws
    monkeypatch.setattr("harness.aws.teardown._POLL_S", 0)
    described(stubs)
    lists(stubs, ID)
    described(stubs, "UPDATE_IN_PROGRESS", name=ID)
    deletes(stubs)
    described(stubs, "DELETE_COMPLETE", name=ID)
    lists(stubs, ID)
    without_packages(stubs)
    assert remove(clients, STACK) == []


def test_the_logs_of_a_function_that_a_rollback_took_along_go_too(aws):
    clients, stubs = aws
    described(stubs, "ROLLBACK_COMPLETE")
    rows = [row("AWS::Lambda::Function", "was", "DELETE_COMPLETE"), row("AWS::Lambda::Function", "of-somebody", "CREATE_FAILED")]
    lists(stubs, ID, *rows)
    deletes(stubs)
    described(stubs, "DELETE_COMPLETE", name=ID)
    lists(stubs, ID, *rows)
    groups = [{"logGroupName": f"/aws/lambda/was{more}", "creationTime": 1_800_000_000_000} for more in ("", "-another")]
    stubs["logs"].add_response("describe_log_groups", {"logGroups": groups}, {"logGroupNamePrefix": "/aws/lambda/was"})
    stubs["logs"].add_response("delete_log_group", {}, {"logGroupName": "/aws/lambda/was"})
    without_packages(stubs)
    assert remove(clients, STACK) == []
    stubs["logs"].assert_no_pending_responses()


def test_a_stack_without_our_tag_is_left_alone(aws):
    clients, stubs = aws
    described(stubs, tag="production")
    assert remove(clients, STACK) == [f"stack {STACK}: it has not the tag of a run, and is left alone"]


def test_credentials_that_no_longer_exist_are_not_taken_for_a_stack_that_is_gone(aws):
    clients, stubs = aws
    message = "The AWS Access Key Id you provided does not exist in our records."
    stubs["cloudformation"].add_client_error("describe_stacks", "InvalidClientTokenId", message)
    stubs["s3"].add_client_error("list_multipart_uploads", "InvalidAccessKeyId", message)
    left = remove(clients, STACK)
    assert [one.partition(": ")[0] for one in left] == [f"stack {STACK}", f"bucket {PACKAGES}"]


def test_a_stack_that_was_never_made_and_one_that_is_gone_leave_nothing(aws):
    clients, stubs = aws
    stubs["cloudformation"].add_client_error("describe_stacks", "ValidationError", f"Stack with id {STACK} does not exist")
    without_packages(stubs)
    assert remove(clients, STACK) == []


@pytest.mark.parametrize(
    ("bucket", "tag", "region", "found"),
    [
        (PACKAGES, STACK, REGION, [STACK]),
        (PACKAGES, "production", REGION, []),
        (PACKAGES, "pp-other", REGION, []),
        (PACKAGES, STACK, "us-west-2", []),
        (f"mine-code-{ACCOUNT}", STACK, REGION, []),
    ],
)
def test_a_bucket_is_a_runs_by_name_tag_and_region(aws, bucket, tag, region, found):
    clients, stubs = aws
    stubs["cloudformation"].add_response("describe_stacks", {"Stacks": []})
    stubs["s3"].add_response("list_buckets", {"Buckets": [{"Name": bucket}]})
    stubs["s3"].add_response("get_bucket_location", {"LocationConstraint": region})
    stubs["s3"].add_response("get_bucket_tagging", {"TagSet": [{"Key": "pipeproof", "Value": tag}]})
    assert leftovers(clients) == found
