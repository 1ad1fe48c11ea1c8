"""What a run on AWS may cost, before anything is made. A bound for pipelines that do not multiply their records, and no bill."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.documents import read_yaml
from harness.stack.template import is_local, value_of
from harness.stack.values import holds, parameter_values

if TYPE_CHECKING:
    from harness.stack.template import Template

Prices = Mapping[str, Any]

# Each record alone: in a batch it costs less.
_SECONDS_OF_A_CALL = 1.0
_REQUESTS_OF_A_MESSAGE = 3
_WRITES_OF_A_RECORD = 2
_STATES_OF_A_RECORD = 10
_LOGGED_BYTES = 2048
_MEMORY_MB, _TIMEOUT_S, _SHARDS = 10_240, 900, 100
# What stands for as long as a run costs nothing, or a fraction of a cent.
_FREE = frozenset(
    f"AWS::{service}::{name}"
    for service, names in {
        "ApiGateway": "Account ApiKey Authorizer BasePathMapping Deployment GatewayResponse Method Model RequestValidator Resource Stage UsagePlan UsagePlanKey",
        "ApiGatewayV2": "ApiMapping Authorizer Deployment Integration IntegrationResponse Model Route RouteResponse Stage",
        "Athena": "NamedQuery PreparedStatement WorkGroup",
        "CloudFormation": "CustomResource WaitCondition WaitConditionHandle",
        "CloudWatch": "Alarm CompositeAlarm Dashboard",
        "Events": "ApiDestination Archive Connection EventBusPolicy",
        "Glue": "Classifier Database Partition Table",
        "IAM": "InstanceProfile ManagedPolicy Policy Role",
        "KMS": "Alias Key",
        "Lambda": "Alias CodeSigningConfig EventInvokeConfig EventSourceMapping LayerVersion LayerVersionPermission Permission Url Version",
        "Logs": "LogGroup LogStream MetricFilter ResourcePolicy SubscriptionFilter",
        "Pipes": "Pipe",
        "S3": "BucketPolicy",
        "SES": "ConfigurationSet EmailIdentity Template",
        "SNS": "Subscription TopicPolicy",
        "SQS": "QueuePolicy",
        "SSM": "Parameter",
        "Scheduler": "Schedule ScheduleGroup",
        "SecretsManager": "ResourcePolicy Secret SecretTargetAttachment",
        "Serverless": "Connector LayerVersion",
        "StepFunctions": "Activity StateMachineAlias StateMachineVersion",
    }.items()
    for name in names.split()
)
_KINESIS_UNIT, _FIREHOSE_UNIT, _DYNAMODB_UNIT = 25 * 1024, 5 * 1024, 1024
_GB = 1e9
# Some regions ask for twice what us-east-1 does.
_REGIONS = 2
# By the hour, whatever the load is.
_PROVISIONED = ("CacheClusterEnabled", "ProvisionedConcurrencyConfig", "ProvisionedThroughput")
_NESTED = {"AWS::CloudFormation::Stack": "TemplateURL", "AWS::Serverless::Application": "Location"}


@dataclass(frozen=True, slots=True)
class _Load:
    records: int
    bytes_of_one: float

    def units(self, size: int) -> int:
        """Returns how many units of a size all records are: each takes whole ones, and one at least."""
        return self.records * max(1, math.ceil(self.bytes_of_one / size))


@functools.cache
def prices() -> Prices:
    """Returns the prices of us-east-1 in US dollars, and when they were looked up."""
    found: Prices = read_yaml(Path(__file__).with_name("prices.yaml"), "prices")[1]
    return found


def estimate(
    template: Template, parameters: Mapping[str, str], records: int, payload_bytes: int
) -> tuple[dict[str, float], set[str]]:
    """Returns US dollars by service for a template and a load, and what has no price here, by types of resources: each record goes alone through each resource, twice into those that
    store, and each function takes a second for it."""
    load = _Load(records, payload_bytes / max(records, 1))
    values = parameter_values(template.document, parameters, "")
    common = (template.document.get("Globals") or {}).get("Function") or {}
    found: dict[str, float] = {}
    unpriced: set[str] = set()
    for resource in template.resources.values():
        kind = str(resource["Type"])
        properties = {**common, **(resource.get("Properties") or {})}
        if "Condition" in resource and holds(template.document, resource["Condition"], values) is False:
            continue
        told = {name: _chosen(value, template, values) for name, value in properties.items()}
        for service, usd in _COSTS.get(kind, ()):
            found[service] = found.get(service, 0.0) + usd(told, load, prices()) * _REGIONS
        unpriced |= {f"{kind} with {name}" for name in _PROVISIONED if told.get(name)}
        # The caller estimates a local template by itself.
        is_known = is_local(told.get(_NESTED[kind])) if kind in _NESTED else kind in _COSTS or kind in _FREE
        if not (is_known or kind.startswith("Custom::")):
            unpriced.add(kind)
    unpriced |= {name for name in template.document["Resources"] if str(name).startswith("Fn::")}
    return found, unpriced


def _chosen(value: Any, template: Template, values: Mapping[str, Any]) -> Any:
    """Returns the value of a property: of a condition the side that holds, None for AWS::NoValue. What only CloudFormation can tell stays as it is."""
    match value:
        case {"Fn::If": [str() as name, then, otherwise]} if (decided := holds(template.document, name, values)) is not None:
            return _chosen(then if decided else otherwise, template, values)
        case {"Ref": "AWS::NoValue"}:
            return None
        case _:
            return value_of(value, values)


def _calls(properties: Mapping[str, Any], load: _Load, of: Prices) -> float:
    seconds = min(_SECONDS_OF_A_CALL, _number(properties.get("Timeout", 3), _TIMEOUT_S))
    gigabytes = _number(properties.get("MemorySize", 128), _MEMORY_MB) / 1024
    return float(load.records * (of["lambda_request"] + seconds * gigabytes * of["lambda_gb_second"]))


def _stream(properties: Mapping[str, Any], load: _Load, of: Prices) -> float:
    shards = _number(properties.get("ShardCount", 4), _SHARDS)
    return float(shards * of["kinesis_shard_hour"] + load.units(_KINESIS_UNIT) * of["kinesis_put_unit"])


def _each(price: str, times: float = 1) -> _Cost:
    return lambda _, load, of: float(load.records * times * of[price])


def _number(value: object, otherwise: float) -> float:
    """Returns a number of a template, which may be written as text; what only CloudFormation can tell is taken for `otherwise`."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return otherwise


_Cost = Callable[[Mapping[str, Any], _Load, Prices], float]
_FUNCTION = (("Lambda", _calls), ("CloudWatch Logs", _each("logs_gb", _LOGGED_BYTES / _GB)))
_TABLE = (("DynamoDB", lambda _, load, of: float(load.units(_DYNAMODB_UNIT) * _WRITES_OF_A_RECORD * of["dynamodb_write_unit"])),)
_MACHINE = (("Step Functions", _each("states_transition", _STATES_OF_A_RECORD)),)
_API = (("API Gateway", _each("api_request")),)
_COSTS: Mapping[str, tuple[tuple[str, _Cost], ...]] = {
    "AWS::Serverless::Function": _FUNCTION,
    "AWS::Lambda::Function": _FUNCTION,
    "AWS::Kinesis::Stream": (("Kinesis", _stream),),
    "AWS::SQS::Queue": (("SQS", _each("sqs_request", _REQUESTS_OF_A_MESSAGE)),),
    "AWS::SNS::Topic": (("SNS", _each("sns_publish")),),
    "AWS::DynamoDB::Table": _TABLE,
    "AWS::Serverless::SimpleTable": _TABLE,
    "AWS::S3::Bucket": (("S3", _each("s3_put", _WRITES_OF_A_RECORD)),),
    "AWS::StepFunctions::StateMachine": _MACHINE,
    "AWS::Serverless::StateMachine": _MACHINE,
    "AWS::Serverless::Api": _API,
    "AWS::Serverless::HttpApi": _API,
    "AWS::ApiGateway::RestApi": _API,
    "AWS::ApiGatewayV2::Api": _API,
    "AWS::Events::Rule": (("EventBridge", _each("eventbridge_event")),),
    "AWS::Events::EventBus": (("EventBridge", _each("eventbridge_event")),),
    "AWS::KinesisFirehose::DeliveryStream": (
        ("Firehose", lambda _, load, of: float(load.units(_FIREHOSE_UNIT) * _FIREHOSE_UNIT / _GB * of["firehose_gb"])),
    ),
}
