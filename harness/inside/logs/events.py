"""PutLogEvents: keeps the events, and sends those that match to the subscriptions of their group, each by its own pattern.

LocalStack hands the second subscription what the first one has let through, and fails the caller where a destination cannot be reached.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from localstack.aws.connect import connect_to
from localstack.utils.aws import arns
from localstack.utils.aws.client_types import ServicePrincipal
from moto.core.utils import unix_time_millis
from moto.logs.models import LogEvent, logs_backends

from harness.inside.gauges.deliveries import in_background
from harness.inside.logs.embedded import embedded
from harness.inside.logs.patterns import BadPatternError, matcher, value_at
from harness.inside.metrics import put

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOG = logging.getLogger(__name__)


def pattern_matcher(pattern: str) -> Callable[[str, Any], bool]:
    """Replaces LocalStack's get_pattern_matcher, whose matcher takes everything."""
    try:
        matches = matcher(pattern or "")
    except BadPatternError as error:
        LOG.warning("%s", error)
        return lambda _pattern, _event: False
    return lambda _pattern, event: matches(_message(event))


def _message(event: Any) -> str:
    return str(event["message"] if isinstance(event, dict) else event.message)


def put_log_events(self: Any, log_events: Sequence[dict[str, Any]]) -> str:
    """Replaces moto's LogStream.put_log_events."""
    self.last_ingestion_time = int(unix_time_millis())
    self.stored_bytes += sum(len(event["message"]) for event in log_events)
    events = [LogEvent(self.last_ingestion_time, event) for event in log_events]
    self.events += events
    self.upload_sequence_token += 1
    _measure(self, events)
    for namespace, data in embedded(event.message for event in events):
        in_background(self.account_id, put, self.account_id, self.region, namespace, data)
    for subscription in list(self.log_group.subscription_filters.values()):
        matches = pattern_matcher(subscription.filter_pattern)
        chosen = [event for event in events if matches("", event)]
        if chosen and subscription.destination_arn:
            in_background(self.account_id, _send, self, subscription, chosen)
    return f"{self.upload_sequence_token:056d}"


def _measure(stream: Any, events: Sequence[Any]) -> None:
    """Adds to the metrics of the group's metric filters what their patterns find.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html"""
    for one in list(logs_backends[stream.account_id][stream.region].filters.metric_filters):
        if one.get("logGroupName") != stream.log_group.name:
            continue
        matches = pattern_matcher(one.get("filterPattern") or "")
        for transformation in one.get("metricTransformations", ()):
            values = [_value(transformation.get("metricValue") or "1", event.message) for event in events if matches("", event)]
            known = [value for value in values if value is not None]
            if not known and transformation.get("defaultValue") is not None:
                known = [float(transformation["defaultValue"])]
            if known:
                data = [{"MetricName": transformation["metricName"], "Values": known, "Unit": transformation.get("unit", "None")}]
                in_background(stream.account_id, put, stream.account_id, stream.region, transformation["metricNamespace"], data)


def _value(told: str, message: str) -> float | None:
    """Returns what a log event adds to a metric: a number, or the member of the event that a selector names."""
    found = value_at(message, told) if told.startswith("$") else told
    try:
        return float(found)
    except (TypeError, ValueError):
        return None


def _send(stream: Any, subscription: Any, events: Sequence[Any]) -> None:
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": stream.account_id,
        "logGroup": stream.log_group.name,
        "logStream": stream.log_stream_name,
        "subscriptionFilters": [subscription.name],
        "logEvents": [{"id": str(event.event_id), "timestamp": event.timestamp, "message": event.message} for event in events],
    }
    packed = gzip.compress(json.dumps(document, separators=(",", ":")).encode())
    destination = subscription.destination_arn
    try:
        _deliver(stream, subscription, destination, packed)
    except (ClientError, BotoCoreError) as error:
        LOG.warning(
            "Subscription %s of %s: %s refused %d events: %s",
            subscription.name,
            stream.log_group.name,
            destination,
            len(events),
            error,
        )


def _deliver(stream: Any, subscription: Any, destination: str, packed: bytes) -> None:
    parts = arns.parse_arn(destination)
    role = subscription.role_arn
    factory = (
        connect_to.with_assumed_role(role_arn=role, service_principal=ServicePrincipal.logs, region_name=parts["region"])
        if role
        else connect_to(aws_access_key_id=parts["account"], region_name=parts["region"])
    )
    source = arns.log_group_arn(stream.log_group.name, stream.account_id, stream.region)

    def client(made: Any) -> Any:
        return made.request_metadata(source_arn=source, service_principal=ServicePrincipal.logs)

    match parts["service"]:
        case "lambda":
            event = {"awslogs": {"data": base64.b64encode(packed).decode()}}
            client(factory.lambda_).invoke(FunctionName=destination, InvocationType="Event", Payload=json.dumps(event))
        case "kinesis":
            key = stream.log_stream_name
            client(factory.kinesis).put_record(StreamName=arns.kinesis_stream_name(destination), Data=packed, PartitionKey=key)
        case "firehose":
            client(factory.firehose).put_record(DeliveryStreamName=arns.firehose_name(destination), Record={"Data": packed})
