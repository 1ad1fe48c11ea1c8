"""Sets the properties that LocalStack's resource providers ignore when they create a resource.

A provider reads some properties of a template and ignores the others without a word. This module calls the resource's own API for those. tests/conformance/test_properties.py shows
the effect of each.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/introduction.html
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_POLL_S, _READY_S = 0.05, 60
# The retention of a new stream.
_RETENTION_HOURS = 24

# What update-function-configuration calls the properties that CreateFunction is not given.
_OF_FUNCTIONS = {
    "EphemeralStorage": "EphemeralStorage",
    "KmsKeyArn": "KMSKeyArn",
    "SnapStart": "SnapStart",
}
# LocalStack generates no name for these. AWS allows 64 characters.
_NAMED = {"AWS::Events::ApiDestination", "AWS::Events::Connection"}
_LONGEST_NAME = 55
_OF_PERMISSIONS = ("EventSourceToken", "FunctionUrlAuthType", "PrincipalOrgID", "SourceAccount")


def with_defaults(kind: str, properties: dict[str, Any], name: str) -> dict[str, Any]:
    """Adds AWS's default for a property if LocalStack has another default. `name` is the beginning of a generated name."""
    if kind in _NAMED:
        return {"Name": f"{name[:_LONGEST_NAME]}-{uuid4().hex[:8]}", **properties}
    if kind == "AWS::Kinesis::Stream" and "ShardCount" in properties:
        # LocalStack would make it on demand, with four shards.
        return {"StreamModeDetails": {"StreamMode": "PROVISIONED"}, **properties}
    if kind == "AWS::S3::Bucket":
        # LocalStack would make it public.
        return {"AccessControl": "Private", **properties}
    return properties


def complete(kind: str, clients: Any, model: Mapping[str, Any]) -> None:
    """Sets the ignored properties of a new resource. Raises botocore's errors, and KeyError if a required part of a property is missing."""
    if kind in _BY_TYPE:
        _BY_TYPE[kind](clients, model)


def concurrency(clients: Any, model: Mapping[str, Any]) -> None:
    """Reserves a function's concurrency, or releases it if the template has no such property."""
    name, reserved = model["FunctionName"], model.get("ReservedConcurrentExecutions")
    if reserved is not None:
        clients.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(reserved))
    else:
        clients.lambda_.delete_function_concurrency(FunctionName=name)


def _function(clients: Any, model: Mapping[str, Any]) -> None:
    if "ReservedConcurrentExecutions" in model:
        concurrency(clients, model)
    changes = {theirs: model[name] for name, theirs in _OF_FUNCTIONS.items() if name in model}
    if changes:
        clients.lambda_.update_function_configuration(FunctionName=model["FunctionName"], **changes)
        clients.lambda_.get_waiter("function_updated_v2").wait(FunctionName=model["FunctionName"])


def _permission(clients: Any, model: Mapping[str, Any]) -> None:
    """Replaces the statement, because Lambda cannot change one."""
    more = {name: model[name] for name in _OF_PERMISSIONS if name in model}
    if more:
        named = {"FunctionName": model["FunctionName"], "StatementId": model["Id"]}
        clients.lambda_.remove_permission(**named)
        given = {name: model[name] for name in ("Action", "Principal", "SourceArn") if name in model}
        clients.lambda_.add_permission(**named, **given, **more)


def _stream(clients: Any, model: Mapping[str, Any]) -> None:
    kinesis, name = clients.kinesis, model["Name"]
    hours = int(model.get("RetentionPeriodHours") or _RETENTION_HOURS)
    if hours > _RETENTION_HOURS:
        kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=hours)
        _active(kinesis, name)
    if encryption := model.get("StreamEncryption"):
        kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=encryption["KeyId"])
        _active(kinesis, name)
    if tags := model.get("Tags"):
        kinesis.add_tags_to_stream(StreamName=name, Tags=_named(tags))


def _active(kinesis: Any, name: str) -> None:
    deadline = time.monotonic() + _READY_S
    while (state := kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamStatus"]) != "ACTIVE":
        if time.monotonic() > deadline:
            raise RuntimeError(f"stream {name}: {state} after {_READY_S} s")
        time.sleep(_POLL_S)


def _log_group(clients: Any, model: Mapping[str, Any]) -> None:
    name = model["LogGroupName"]
    if days := model.get("RetentionInDays"):
        clients.logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    if key := model.get("KmsKeyId"):
        clients.logs.associate_kms_key(logGroupName=name, kmsKeyId=key)
    if tags := model.get("Tags"):
        clients.logs.tag_log_group(logGroupName=name, tags=_named(tags))


def _table(clients: Any, model: Mapping[str, Any]) -> None:
    changes = {name: model[name] for name in ("DeletionProtectionEnabled", "TableClass") if model.get(name)}
    if changes:
        clients.dynamodb.update_table(TableName=model["TableName"], **changes)
    recovery = model.get("PointInTimeRecoverySpecification")
    if recovery and recovery.get("PointInTimeRecoveryEnabled"):
        clients.dynamodb.update_continuous_backups(
            TableName=model["TableName"], PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )


def _bucket(clients: Any, model: Mapping[str, Any]) -> None:
    s3, bucket = clients.s3, model["BucketName"]
    if encryption := model.get("BucketEncryption"):
        rules = [
            _renamed(one, ServerSideEncryptionByDefault="ApplyServerSideEncryptionByDefault")
            for one in encryption["ServerSideEncryptionConfiguration"]
        ]
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    if block := model.get("PublicAccessBlockConfiguration"):
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    if controls := model.get("OwnershipControls"):
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    if lifecycle := model.get("LifecycleConfiguration"):
        rules = [lifecycle_rule(one) for one in lifecycle["Rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a rule of a bucket's lifecycle as PutBucketLifecycleConfiguration has it."""
    made: dict[str, Any] = {"ID": rule.get("Id") or str(uuid4()), "Status": rule["Status"], "Filter": _filter(rule)}
    expiration = {
        theirs: rule[name]
        for name, theirs in (
            ("ExpirationInDays", "Days"),
            ("ExpirationDate", "Date"),
            ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
        )
        if name in rule
    }
    if expiration:
        made["Expiration"] = expiration
    if "NoncurrentVersionExpirationInDays" in rule:
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]}
    for name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        if name in rule:
            made[name] = rule[name]
    transitions = [*rule.get("Transitions", ()), *([rule["Transition"]] if "Transition" in rule else ())]
    if transitions:
        made["Transitions"] = [_renamed(one, TransitionInDays="Days", TransitionDate="Date") for one in transitions]
    older = [
        *rule.get("NoncurrentVersionTransitions", ()),
        *([rule["NoncurrentVersionTransition"]] if "NoncurrentVersionTransition" in rule else ()),
    ]
    if older:
        made["NoncurrentVersionTransitions"] = [_renamed(one, TransitionInDays="NoncurrentDays") for one in older]
    return made


def _filter(rule: Mapping[str, Any]) -> dict[str, Any]:
    tags = list(rule.get("TagFilters", ()))
    parts: dict[str, Any] = {name: rule[name] for name in ("Prefix",) if name in rule}
    parts |= {name: int(rule[name]) for name in ("ObjectSizeGreaterThan", "ObjectSizeLessThan") if name in rule}
    if len(parts) + len(tags) > 1:
        return {"And": {**parts, **({"Tags": tags} if tags else {})}}
    return {"Tag": tags[0]} if tags else parts or {"Prefix": ""}


def _rule(clients: Any, model: Mapping[str, Any]) -> None:
    """Puts the rule again with all its settings, because PutRule replaces them."""
    if "RoleArn" in model:
        bus, _, name = model["Id"].rpartition("|")
        own = {"EventBusName": bus} if bus else {}
        known = clients.events.describe_rule(Name=name, **own)
        kept = {key: known[key] for key in ("ScheduleExpression", "EventPattern", "State", "Description") if known.get(key)}
        clients.events.put_rule(Name=name, **own, **kept, RoleArn=model["RoleArn"])


def _subscription(clients: Any, model: Mapping[str, Any]) -> None:
    for name in ("SubscriptionRoleArn", "ReplayPolicy"):
        if name in model:
            value = model[name] if isinstance(model[name], str) else json.dumps(model[name])
            clients.sns.set_subscription_attributes(SubscriptionArn=model["Id"], AttributeName=name, AttributeValue=value)


def _state_machine(clients: Any, model: Mapping[str, Any]) -> None:
    if tags := model.get("Tags"):
        clients.stepfunctions.tag_resource(
            resourceArn=model["Arn"], tags=[{"key": one["Key"], "value": one["Value"]} for one in tags]
        )


def _event_bus(clients: Any, model: Mapping[str, Any]) -> None:
    if tags := model.get("Tags"):
        clients.events.tag_resource(ResourceARN=model["Arn"], Tags=tags)


def _user(clients: Any, model: Mapping[str, Any]) -> None:
    for policy in model.get("Policies", ()):
        clients.iam.put_user_policy(
            UserName=model["UserName"], PolicyName=policy["PolicyName"], PolicyDocument=json.dumps(policy["PolicyDocument"])
        )


def _named(tags: list[dict[str, str]]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in tags}


def _renamed(given: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in given.items()}


_BY_TYPE: dict[str, Callable[[Any, Mapping[str, Any]], None]] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::Events::EventBus": _event_bus,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::User": _user,
    "AWS::Kinesis::Stream": _stream,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Permission": _permission,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::S3::Bucket": _bucket,
    "AWS::SNS::Subscription": _subscription,
    "AWS::StepFunctions::StateMachine": _state_machine,
}
