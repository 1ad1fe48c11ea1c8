"""What a run on AWS may cost, before anything is made. A bound for pipelines that do not multiply their records, and no bill."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.documents import read_yaml

Prices = Mapping[str, Any]

# Each record alone: in a batch it costs less.
_SECONDS_OF_A_CALL = 1.0
_REQUESTS_OF_A_MESSAGE = 3
_WRITES_OF_A_RECORD = 2
_STATES_OF_A_RECORD = 10
_LOGGED_BYTES = 2048
_MEMORY_MB, _TIMEOUT_S, _SHARDS = 128, 3, 4
_KINESIS_UNIT, _FIREHOSE_UNIT, _DYNAMODB_UNIT = 25 * 1024, 5 * 1024, 1024
_GB = 1e9
# Some regions ask for twice what us-east-1 does.
_REGIONS = 2


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


def estimate(template: Mapping[str, Any], records: int, payload_bytes: int) -> dict[str, float]:
    """Returns US dollars by service for a template and a load: each record goes alone through each resource, twice into those that store, and each function takes a second for it."""
    load = _Load(records, payload_bytes / max(records, 1))
    common = (template.get("Globals") or {}).get("Function") or {}
    found: dict[str, float] = {}
    for resource in template["Resources"].values():
        properties = {**common, **(resource.get("Properties") or {})}
        for service, usd in _COSTS.get(str(resource.get("Type")), ()):
            found[service] = found.get(service, 0.0) + usd(properties, load, prices()) * _REGIONS
    return found


def _calls(properties: Mapping[str, Any], load: _Load, of: Prices) -> float:
    seconds = min(_SECONDS_OF_A_CALL, _number(properties.get("Timeout"), _TIMEOUT_S))
    gigabytes = _number(properties.get("MemorySize"), _MEMORY_MB) / 1024
    return float(load.records * (of["lambda_request"] + seconds * gigabytes * of["lambda_gb_second"]))


def _stream(properties: Mapping[str, Any], load: _Load, of: Prices) -> float:
    shards = _number(properties.get("ShardCount"), _SHARDS)
    return float(shards * of["kinesis_shard_hour"] + load.units(_KINESIS_UNIT) * of["kinesis_put_unit"])


def _each(price: str, times: float = 1) -> _Cost:
    return lambda _, load, of: float(load.records * times * of[price])


def _number(value: object, otherwise: float) -> float:
    """Returns a number of a template; what refers to something else is not known here."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


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
