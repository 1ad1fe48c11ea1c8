"""Changes of a property that LocalStack's resource providers do not apply.

A provider without an update, or with one that changes nothing, reports success. Here a resource that keeps data is changed by its own API; one
that only configures something is deleted and created again.
"""

from __future__ import annotations

import copy
import json
import time
from typing import TYPE_CHECKING, Any

from localstack.services.cloudformation.resource_provider import OperationStatus, ProgressEvent, ResourceProviderExecutor

from harness.inside.cloudformation import left_out

if TYPE_CHECKING:
    from collections.abc import Callable

# What only configures something, so that nothing is lost when it is made again.
MADE_AGAIN = frozenset(
    {
        "AWS::ApiGateway::GatewayResponse",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::CompositeAlarm",
        "AWS::Events::Rule",
        "AWS::IAM::ManagedPolicy",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Url",
        "AWS::Scheduler::Schedule",
    }
)
# Whose creation sets everything again, and keeps what is there.
CREATED_OVER = frozenset({"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"})

_POLL_S, _READY_S = 0.1, 60
# What an attribute is again where its property is removed.
_QUEUE_DEFAULTS = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "DelaySeconds": "0",
    "FifoThroughputLimit": "perQueue",
    "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "VisibilityTimeout": "30",
}


# The values that a function returns to if an update removes the property.
_FUNCTION_DEFAULTS: dict[str, Any] = {
    "DeadLetterConfig": {"TargetArn": ""},
    "Description": "",
    "Environment": {"Variables": {}},
    "Layers": [],
    "MemorySize": 128,
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
}


def needs_replacement(resource_type: str, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Returns whether a property that only creation sets has another value."""
    provider = ResourceProviderExecutor.try_load_resource_provider(resource_type)
    paths = provider.SCHEMA.get("createOnlyProperties", ()) if provider else ()
    return any(
        _written(before.get(name)) != _written(after.get(name)) for name in (path.removeprefix("/properties/") for path in paths)
    )


def _written(value: Any) -> str:
    """Returns a value as text: a template may write 5 and true as "5" and "true"."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def updated(provider: Any, request: Any) -> ProgressEvent | None:
    """Returns what became of an update; None where the provider's own is the right one."""
    kind = request.resource_type
    if kind in BY_API:
        BY_API[kind](provider, request)
        return ProgressEvent(OperationStatus.SUCCESS, resource_model={**(request.previous_state or {}), **request.desired_state})
    if kind in CREATED_OVER:
        return _created(provider, request)
    if kind in MADE_AGAIN:
        if not request.custom_context.get("deleted"):
            _deleted(provider, request)
            request.custom_context["deleted"] = True
        event = _created(provider, request)
        event.custom_context = {**(event.custom_context or {}), "deleted": True}
        return event
    return None


def _created(provider: Any, request: Any) -> ProgressEvent:
    event: ProgressEvent = provider.create(request)
    if event.status == OperationStatus.SUCCESS:
        left_out.complete(request.resource_type, request.aws_client_factory, event.resource_model)
    return event


def _deleted(provider: Any, request: Any) -> None:
    desired, request.desired_state = request.desired_state, request.previous_state
    try:
        provider.delete(request)
    finally:
        request.desired_state = desired


def _queue(provider: Any, request: Any) -> None:
    attributes = provider._compile_sqs_queue_attributes(request.desired_state)  # noqa: SLF001
    attributes.pop("FifoQueue", None)
    for name, default in _QUEUE_DEFAULTS.items():
        if name in request.previous_state and name not in attributes:
            attributes[name] = default
    if attributes:
        request.aws_client_factory.sqs.set_queue_attributes(QueueUrl=request.previous_state["QueueUrl"], Attributes=attributes)


def _function(provider: Any, request: Any) -> None:
    wanted, before = request.desired_state, request.previous_state
    defaults = {name: value for name, value in _FUNCTION_DEFAULTS.items() if name in before and name not in wanted}
    wanted |= copy.deepcopy(defaults)
    provider.update(request)
    model = {**wanted, "FunctionName": before["FunctionName"]}
    left_out.complete(request.resource_type, request.aws_client_factory, model)
    if "ReservedConcurrentExecutions" in before and "ReservedConcurrentExecutions" not in model:
        left_out.concurrency(request.aws_client_factory, model)


def _table(_provider: Any, request: Any) -> None:
    client, wanted, before = request.aws_client_factory.dynamodb, request.desired_state, request.previous_state
    name = before["TableName"]
    changes: dict[str, Any] = {
        key: wanted[key]
        for key in ("BillingMode", "DeletionProtectionEnabled", "ProvisionedThroughput", "SSESpecification")
        if key in wanted and wanted[key] != before.get(key)
    }
    if before.get("SSESpecification") and not wanted.get("SSESpecification"):
        changes["SSESpecification"] = {"Enabled": False}
    if wanted.get("StreamSpecification") != before.get("StreamSpecification"):
        given = wanted.get("StreamSpecification")
        changes["StreamSpecification"] = {"StreamEnabled": True, **given} if given else {"StreamEnabled": False}
    if changes:
        client.update_table(TableName=name, **changes)
    ttl = wanted.get("TimeToLiveSpecification")
    if ttl and ttl != before.get("TimeToLiveSpecification"):
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)
    described = client.describe_table(TableName=name)["Table"]
    if described.get("LatestStreamArn"):
        wanted["StreamArn"] = described["LatestStreamArn"]


def _stream(_provider: Any, request: Any) -> None:
    client, wanted, before = request.aws_client_factory.kinesis, request.desired_state, request.previous_state
    name = before["Name"]
    if wanted.get("ShardCount") and int(wanted["ShardCount"]) != int(before.get("ShardCount") or 0):
        client.update_shard_count(StreamName=name, TargetShardCount=int(wanted["ShardCount"]), ScalingType="UNIFORM_SCALING")
    key, key_before = ((one.get("StreamEncryption") or {}).get("KeyId") for one in (wanted, before))
    if key and key != key_before:
        client.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=key)
    elif key_before and not key:
        client.stop_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=key_before)
    hours, hours_before = int(wanted.get("RetentionPeriodHours") or 24), int(before.get("RetentionPeriodHours") or 24)
    if hours > hours_before:
        client.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=hours)
    elif hours < hours_before:
        client.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=hours)


def _log_group(_provider: Any, request: Any) -> None:
    client, name = request.aws_client_factory.logs, request.previous_state["LogGroupName"]
    if days := request.desired_state.get("RetentionInDays"):
        client.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    else:
        client.delete_retention_policy(logGroupName=name)
    key, key_before = request.desired_state.get("KmsKeyId"), request.previous_state.get("KmsKeyId")
    if key and key != key_before:
        client.associate_kms_key(logGroupName=name, kmsKeyId=key)
    elif key_before and not key:
        client.disassociate_kms_key(logGroupName=name)


def _delivery_stream(_provider: Any, request: Any) -> None:
    client, name = request.aws_client_factory.firehose, request.previous_state["DeliveryStreamName"]
    described = client.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    configuration = request.desired_state.get("ExtendedS3DestinationConfiguration")
    if configuration:
        client.update_destination(
            DeliveryStreamName=name,
            CurrentDeliveryStreamVersionId=described["VersionId"],
            DestinationId=described["Destinations"][0]["DestinationId"],
            ExtendedS3DestinationUpdate=configuration,
        )


def _secret(_provider: Any, request: Any) -> None:
    client, wanted = request.aws_client_factory.secretsmanager, request.desired_state
    changes = {key: wanted[key] for key in ("Description", "KmsKeyId", "SecretString") if key in wanted}
    if changes:
        client.update_secret(SecretId=request.previous_state["Id"], **changes)


def _rest_api(_provider: Any, request: Any) -> None:
    client, wanted = request.aws_client_factory.apigateway, request.desired_state
    if wanted.get("Body"):
        body = wanted["Body"] if isinstance(wanted["Body"], str) else json.dumps(wanted["Body"])
        client.put_rest_api(restApiId=request.previous_state["RestApiId"], mode="overwrite", body=body.encode())


def _alias(_provider: Any, request: Any) -> None:
    client, wanted, before = request.aws_client_factory.lambda_, request.desired_state, request.previous_state
    own = {"FunctionName": before["FunctionName"], "Qualifier": before["Name"]}
    if before.get("ProvisionedConcurrencyConfig"):
        client.delete_provisioned_concurrency_config(**own)
    weights = (wanted.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or []
    client.update_alias(
        FunctionName=before["FunctionName"],
        Name=before["Name"],
        FunctionVersion=str(wanted["FunctionVersion"]),
        Description=wanted.get("Description", ""),
        RoutingConfig={"AdditionalVersionWeights": {str(one["FunctionVersion"]): float(one["FunctionWeight"]) for one in weights}},
    )
    if ready := wanted.get("ProvisionedConcurrencyConfig"):
        client.put_provisioned_concurrency_config(**own, **ready)
        deadline = time.monotonic() + _READY_S
        while (found := client.get_provisioned_concurrency_config(**own))["Status"] != "READY":
            if found["Status"] == "FAILED" or time.monotonic() > deadline:
                raise RuntimeError(f"provisioned concurrency of {own}: {found}")
            time.sleep(_POLL_S)


BY_API: dict[str, Callable[[Any, Any], None]] = {
    "AWS::ApiGateway::RestApi": _rest_api,
    "AWS::DynamoDB::Table": _table,
    "AWS::Kinesis::Stream": _stream,
    "AWS::KinesisFirehose::DeliveryStream": _delivery_stream,
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::Function": _function,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::SQS::Queue": _queue,
    "AWS::SecretsManager::Secret": _secret,
}
