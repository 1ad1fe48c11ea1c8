"""Policies decide as AWS's own rules say, and each call needs the permissions that AWS's reference names for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.inside.iam.actions import needs
from harness.inside.iam.policy import Decision, Policy, Principal, Request, decide

ROLE = Principal("arn:aws:iam::111122223333:role/R", "arn:aws:sts::111122223333:assumed-role/R/function")
S3 = Principal(service="s3.amazonaws.com")
OBJECT = "arn:aws:s3:::bucket/events/a.json"


def policy(*statements, name="P"):
    return Policy(name, {"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect="Allow", action="s3:PutObject", resource="*", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def decided(*identity, resource=None, boundary=None, action="s3:PutObject", on=OBJECT, principal=ROLE, **context):
    conditions = {name.replace("_", ":"): value for name, value in context.items()}
    return decide(identity, resource, boundary, Request(action, on, principal, conditions))


def allowed(*identity, **more):
    return decided(*identity, **more).allowed


def test_what_no_policy_allows_is_denied_and_the_policies_are_named():
    assert decided() == Decision(allowed=False, why="no policy of role R allows it (it has none)")
    two = policy(statement(action="s3:GetObject"), name="Reads"), policy(statement(resource="arn:aws:s3:::other/*"), name="Writes")
    assert decided(*two).why == "no policy of role R allows it (Reads, Writes)"


@pytest.mark.parametrize(
    ("action", "matches"),
    [
        ("s3:PutObject", True), ("S3:putobject", True), ("s3:Put*", True), ("*", True), ("s3:*", True), ("s3:Put?bject", True),
        ("s3:PutObjectTagging", False), ("s3:Put", False), ("dynamodb:*", False), (["s3:GetObject", "s3:PutObject"], True),
    ],
)  # fmt: skip
def test_actions_match_by_wildcards_and_without_regard_to_case(action, matches):
    assert allowed(policy(statement(action=action))) is matches


@pytest.mark.parametrize(
    ("resource", "matches"),
    [
        (OBJECT, True), ("arn:aws:s3:::bucket/events/*", True), ("arn:aws:s3:::bucket/*", True), ("arn:aws:s3:::bucket", False),
        ("arn:aws:s3:::Bucket/*", False), ("arn:aws:s3:::bucket/dead-letters/*", False), ("arn:aws:s3:::bucke./*", False), ("*", True),
        ("arn:aws:s3:::bucket/${aws:PrincipalAccount}/*", False), ("arn:aws:s3:::bucket/${Folder, 'events'}/*", True),
    ],
)  # fmt: skip
def test_resources_match_by_wildcards_and_to_the_letter(resource, matches):
    assert allowed(policy(statement(resource=resource))) is matches


def test_what_is_not_named_is_meant_by_not_action_and_not_resource():
    assert allowed(policy({"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"}))
    assert not allowed(policy({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}))
    assert allowed(policy({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::bucket/secret/*"}))
    assert not allowed(policy({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::bucket/events/*"}))


def test_an_explicit_deny_wins_wherever_it_stands():
    allow, deny = policy(statement()), policy(statement("Deny"), name="No")
    assert decided(allow, deny).why == "an explicit deny in No"
    assert not allowed(allow, resource=policy(statement("Deny", Principal="*")))
    assert not allowed(allow, boundary=deny)
    assert allowed(allow, policy(statement("Deny", resource="arn:aws:s3:::other/*")))


def test_a_boundary_bounds_and_allows_nothing_by_itself():
    assert allowed(policy(statement()), boundary=policy(statement(action="s3:*")))
    assert not allowed(policy(statement()), boundary=policy(statement(action="sqs:*")))
    assert not allowed(boundary=policy(statement()))


@pytest.mark.parametrize(
    ("named", "principal", "matches"),
    [
        ("*", ROLE, True), ({"AWS": "*"}, ROLE, True), ({"AWS": ROLE.role_arn}, ROLE, True), ({"AWS": [ROLE.session_arn]}, ROLE, True),
        # The account as a whole leaves it to the role's own policies.
        ({"AWS": "arn:aws:iam::111122223333:root"}, ROLE, False), ({"AWS": "111122223333"}, ROLE, False),
        ({"Service": "s3.amazonaws.com"}, S3, True), ({"Service": ["sns.amazonaws.com"]}, S3, False), ({"AWS": "*"}, S3, True),
        ({"Service": "s3.amazonaws.com"}, ROLE, False),
    ],
)  # fmt: skip
def test_a_resource_allows_whom_it_names(named, principal, matches):
    assert allowed(resource=policy(statement(Principal=named)), principal=principal) is matches


def test_a_deny_for_the_account_denies_all_in_it():
    root = {"AWS": "arn:aws:iam::111122223333:root"}
    assert not allowed(policy(statement()), resource=policy(statement("Deny", Principal=root)))
    assert allowed(policy(statement()), resource=policy(statement("Deny", Principal={"AWS": "444455556666"})))


def test_a_resource_that_is_not_known_is_denied_by_a_deny_of_everything_alone():
    everything = policy(statement(action="*"))
    assert allowed(everything, policy(statement("Deny", "*", "arn:aws:s3:::secret/*")), on=None)
    assert allowed(policy({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::secret/*"}), on=None)
    assert not allowed(everything, policy(statement("Deny", "*", "*")), on=None)


def test_a_service_needs_the_policy_of_the_resource():
    assert decided(principal=S3).why == "the resource has no policy"
    assert decided(resource=policy(name="the policy of queue"), principal=S3).why == "the policy of queue does not allow it"


@pytest.mark.parametrize(
    ("operator", "expected", "found", "matches"),
    [
        ("StringEquals", "a", "a", True), ("StringEquals", ["b", "a"], "a", True), ("StringEquals", "a", "A", False),
        ("StringEquals", "a", None, False), ("StringEqualsIfExists", "a", None, True), ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", ["a", "b"], "b", False), ("StringNotEquals", "a", None, True), ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringLike", "arn:*:x", "arn:aws:x", True), ("StringNotLike", "a*", "abc", False),
        ("ArnLike", "arn:aws:s3:::b*", "arn:aws:s3:::bucket", True), ("ArnLike", "arn:aws:*:b", "arn:aws:s3:::b", False),
        ("ArnEquals", "arn:aws:sqs:*:*:q", "arn:aws:sqs:us-east-1:1:q", True),
        ("ArnNotLike", "arn:aws:s3:::b", "arn:aws:s3:::c", True),
        ("Bool", "true", "true", True), ("Bool", False, "true", False), ("Null", "true", None, True), ("Null", "false", "x", True),
        ("NumericLessThan", "10", "9.5", True), ("NumericGreaterThanEquals", 10, "9", False), ("NumericEquals", "x", "9", False),
        ("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", True), ("DateLessThan", "1767225600", "1767225599", True),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True), ("NotIpAddress", "10.0.0.0/8", "10.1.2.3", False), ("Unheard", "a", "a", False),
    ],
)  # fmt: skip
def test_conditions_hold_as_their_operators_say(operator, expected, found, matches):
    context = {} if found is None else {"aws_key": found}
    assert allowed(policy(statement(Condition={operator: {"AWS:Key": expected}})), **context) is matches


@pytest.mark.parametrize(
    ("operator", "found", "matches"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], True), ("ForAllValues:StringEquals", ["a", "z"], False),
        ("ForAllValues:StringEquals", None, True), ("ForAnyValue:StringEquals", ["z", "a"], True),
        ("ForAnyValue:StringEquals", ["z"], False), ("ForAnyValue:StringEquals", None, False),
    ],
)  # fmt: skip
def test_conditions_on_sets_hold_for_all_or_for_any(operator, found, matches):
    context = {} if found is None else {"aws_key": found}
    assert allowed(policy(statement(Condition={operator: {"aws:key": ["a", "b"]}})), **context) is matches


words = st.text("ab*?[]$.:/", max_size=8)


@given(words)
def test_a_literal_pattern_matches_itself_and_a_star_matches_all(text):
    literal = "".join(f"${{{letter}}}" if letter in "*?$" else letter for letter in text)
    request = Request("s3:GetObject", text, ROLE)
    assert decide([policy(statement(action="s3:*", resource=literal))], None, None, request).allowed
    assert decide([policy(statement(action="s3:*"))], None, None, request).allowed


@given(st.lists(st.booleans(), max_size=5), st.lists(st.booleans(), max_size=5))
def test_more_allows_never_take_away_and_a_deny_always_does(allows, denies):
    identity = [policy(statement(action="s3:*" if yes else "sqs:*")) for yes in allows]
    against = [policy(statement("Deny", action="s3:*" if yes else "sqs:*")) for yes in denies]
    assert allowed(*identity, *against) is (any(allows) and not any(denies))


HERE = "us-east-1:111122223333"


@pytest.mark.parametrize(
    ("service", "operation", "request_", "expected"),
    [
        ("s3", "PutObject", {"Bucket": "b", "Key": "k"}, [("s3:PutObject", "arn:aws:s3:::b/k")]),
        ("s3", "HeadObject", {"Bucket": "b", "Key": "k", "VersionId": "v"}, [("s3:GetObjectVersion", "arn:aws:s3:::b/k")]),
        ("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "p"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
        ("s3", "CopyObject", {"Bucket": "b", "Key": "k", "CopySource": "a/x%20y?versionId=v"},
         [("s3:GetObjectVersion", "arn:aws:s3:::a/x y"), ("s3:PutObject", "arn:aws:s3:::b/k")]),
        ("s3", "DeleteObjects", {"Bucket": "b", "Delete": {"Objects": [{"Key": "k"}, {"Key": "l", "VersionId": "v"}]}},
         [("s3:DeleteObject", "arn:aws:s3:::b/k"), ("s3:DeleteObjectVersion", "arn:aws:s3:::b/l")]),
        ("s3", "UploadPart", {"Bucket": "b", "Key": "k"}, [("s3:PutObject", "arn:aws:s3:::b/k")]),
        ("s3", "ListBuckets", {}, [("s3:ListAllMyBuckets", "*")]),
        ("sqs", "SendMessageBatch", {"QueueUrl": "http://h/111122223333/q"}, [("sqs:SendMessage", f"arn:aws:sqs:{HERE}:q")]),
        ("sqs", "GetQueueUrl", {"QueueName": "q"}, [("sqs:GetQueueUrl", f"arn:aws:sqs:{HERE}:q")]),
        ("sns", "PublishBatch", {"TopicArn": f"arn:aws:sns:{HERE}:t"}, [("sns:Publish", f"arn:aws:sns:{HERE}:t")]),
        ("dynamodb", "Query", {"TableName": "t", "IndexName": "i"}, [("dynamodb:Query", f"arn:aws:dynamodb:{HERE}:table/t/index/i")]),
        ("dynamodb", "BatchWriteItem", {"RequestItems": {"t": [], "u": []}},
         [("dynamodb:BatchWriteItem", f"arn:aws:dynamodb:{HERE}:table/{name}") for name in "tu"]),
        ("dynamodb", "TransactWriteItems", {"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "u"}}]},
         [("dynamodb:PutItem", f"arn:aws:dynamodb:{HERE}:table/t"), ("dynamodb:ConditionCheckItem", f"arn:aws:dynamodb:{HERE}:table/u")]),
        ("kinesis", "PutRecords", {"StreamName": "s"}, [("kinesis:PutRecords", f"arn:aws:kinesis:{HERE}:stream/s")]),
        ("stepfunctions", "StartExecution", {"stateMachineArn": "arn:m"}, [("states:StartExecution", "arn:m")]),
        ("stepfunctions", "SendTaskSuccess", {"taskToken": "t"}, [("states:SendTaskSuccess", "*")]),
        ("events", "PutEvents", {"Entries": [{}, {"EventBusName": "b"}]},
         [("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/{name}") for name in ("default", "b")]),
        ("lambda", "Invoke", {"FunctionName": "f", "Qualifier": "v"}, [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f:v")]),
        ("lambda", "Invoke", {"FunctionName": f"arn:aws:lambda:{HERE}:function:f"}, [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f")]),
        ("ses", "SendEmail", {"Source": "Us <us@x.org>"}, [("ses:SendEmail", f"arn:aws:ses:{HERE}:identity/us@x.org")]),
        ("cloudwatch", "PutMetricData", {"Namespace": "n"}, [("cloudwatch:PutMetricData", "*")]),
        ("ssm", "GetParameter", {"Name": "/a/p"}, [("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/a/p")]),
        ("secretsmanager", "GetSecretValue", {"SecretId": "db"}, [("secretsmanager:GetSecretValue", None)]),
        ("dynamodbstreams", "GetRecords", {}, [("dynamodb:GetRecords", None)]),
        ("scheduler", "CreateSchedule", {"Name": "x", "GroupName": "g"}, [("scheduler:CreateSchedule", f"arn:aws:scheduler:{HERE}:schedule/g/x")]),
        ("events", "PutRule", {"Name": "r", "EventBusName": "b"}, [("events:PutRule", f"arn:aws:events:{HERE}:rule/b/r")]),
        ("s3", "GetObjectTagging", {"Bucket": "b", "Key": "k", "VersionId": "v"}, [("s3:GetObjectVersionTagging", "arn:aws:s3:::b/k")]),
    ],
)  # fmt: skip
def test_a_call_needs_what_the_reference_says(service, operation, request_, expected):
    found = needs(service, operation, request_, *HERE.split(":"))
    assert [(need.action, next(iter(need.resources), None)) for need in found] == expected


def test_what_is_put_says_how_it_is_encrypted():
    (need,) = needs("s3", "PutObject", {"Bucket": "b", "Key": "k", "ServerSideEncryption": "aws:kms"}, *HERE.split(":"))
    assert need.context == {"s3:x-amz-server-side-encryption": "aws:kms"}


def test_a_mail_may_be_sent_in_the_name_of_the_address_or_of_its_domain():
    (need,) = needs("ses", "SendEmail", {"Source": "us@x.org"}, *HERE.split(":"))
    assert need.resources == tuple(f"arn:aws:ses:{HERE}:identity/{name}" for name in ("us@x.org", "x.org"))


def test_of_a_service_that_is_not_known_the_action_alone_is_checked():
    (need,) = needs("athena", "StartQueryExecution", {}, *HERE.split(":"))
    assert (need.action, need.resources) == ("athena:StartQueryExecution", ())
    assert allowed(policy(statement(action="athena:*", resource="arn:aws:athena:x")), action=need.action, on=None)
