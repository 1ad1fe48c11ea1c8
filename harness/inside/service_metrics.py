"""Metrics that services keep of themselves, and LocalStack does not: counted when a request has been served.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from harness.inside.dynamodb.values import at_most
from harness.inside.metrics import Metric, count

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext

_WRITES = {"PutItem": "Item", "UpdateItem": "Key", "DeleteItem": "Key"}
_READS = frozenset({"GetItem", "Query", "Scan"})
_ENCODED = json.JSONEncoder(default=str).encode
_UNIT_BYTES = 1024


def request_served(_chain: Any, context: RequestContext, _response: Any) -> None:
    """Counts what a request is in the metrics of its service. It is a finalizer of the gateway's chain."""
    if context.operation is None or not isinstance(context.service_request, dict):
        return
    code = getattr(context.service_exception, "code", None)
    match context.service.service_name:
        case "lambda" if context.operation.name == "Invoke" and code == "TooManyRequestsException":
            name = str(context.service_request.get("FunctionName", "")).rpartition(":function:")[2].partition(":")[0]
            _count(context, "AWS/Lambda", ("FunctionName", name), "Throttles")
        case "kinesis" if code is None:
            _kinesis(context)
        case "kinesis" if code == "ProvisionedThroughputExceededException":
            _count(context, "AWS/Kinesis", _stream(context), f"{_direction(context)}ProvisionedThroughputExceeded")
        case "dynamodb":
            _dynamodb(context, code)


def _count(
    context: RequestContext, namespace: str, dimension: tuple[str, str], name: str, value: float = 1.0, unit: str = "Count"
) -> None:
    count(Metric(context.account_id, context.region, namespace, dimension, name, unit), value)


def _stream(context: RequestContext) -> tuple[str, str]:
    request = context.service_request
    return ("StreamName", str(request.get("StreamName") or str(request.get("StreamARN", "")).partition("/")[2]))


def _direction(context: RequestContext) -> str:
    return "Write" if context.operation.name.startswith("Put") else "Read"


def _kinesis(context: RequestContext) -> None:
    request, answer = context.service_request, context.service_response or {}
    match context.operation.name:
        case "PutRecord":
            records, failed = [request], 0
        case "PutRecords":
            records, failed = request["Records"], int(answer.get("FailedRecordCount") or 0)
        case _:
            return
    dimension = _stream(context)
    _count(context, "AWS/Kinesis", dimension, "IncomingRecords", len(records) - failed)
    _count(context, "AWS/Kinesis", dimension, "IncomingBytes", sum(len(one["Data"]) for one in records), "Bytes")
    _count(context, "AWS/Kinesis", dimension, f"{context.operation.name}.Success")
    if failed:
        _count(context, "AWS/Kinesis", dimension, "WriteProvisionedThroughputExceeded", failed)


def _dynamodb(context: RequestContext, code: str | None) -> None:
    request, name = context.service_request, context.operation.name
    table = ("TableName", str(request.get("TableName", "")).rpartition("/")[2])
    if code is not None:
        told = {
            "ConditionalCheckFailedException": "ConditionalCheckFailedRequests",
            "ProvisionedThroughputExceededException": "ThrottledRequests",
        }.get(code)
        if told and table[1]:
            _count(context, "AWS/DynamoDB", table, told)
    elif name in _WRITES:
        _count(context, "AWS/DynamoDB", table, "ConsumedWriteCapacityUnits", _units(request.get(_WRITES[name])))
    elif name == "BatchWriteItem":
        for of, entries in request["RequestItems"].items():
            units = sum(_units(entry) for entry in entries)
            _count(context, "AWS/DynamoDB", ("TableName", of.rpartition("/")[2]), "ConsumedWriteCapacityUnits", units)
    elif name in _READS:
        _count(context, "AWS/DynamoDB", table, "ConsumedReadCapacityUnits", 0.5)


def _units(item: Any) -> int:
    if at_most(item) <= _UNIT_BYTES:
        return 1
    return max(1, math.ceil(len(_ENCODED(item)) / _UNIT_BYTES))
