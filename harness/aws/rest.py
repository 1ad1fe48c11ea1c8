"""What AWS tells of the work that is under way in a stack. It tells less than an emulator: deliveries of S3, SNS and EventBridge, and what waits before a stream's mapping, are
told by nothing but what follows from them. So a pipeline is at rest where all that can be seen stays as it is for a while."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from harness.aws.stack import WAITING, made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.aws.stack import Made
    from harness.emulator.clients import Clients

_MINUTE_S = 60
# Metrics come with the minute that has ended, and somewhat later.
_METRICS_AFTER_S = 120
# An event that failed is tried again after one minute, and after two more.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
_TRIED_AGAIN_WITHIN_S = 180
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html
_BUFFERED_S = 300
_EXPRESS_S = 300
_IDLE = {"Disabled", "Disabling", "Deleting"}
_QUERIES_PER_REQUEST = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """`under_way` counts what AWS says is not done yet, by words for it. `marks` is all that changes while there is work."""

    under_way: dict[str, int]
    marks: tuple[object, ...]


class Watch:
    """Looks at one stack, from the moment at which the run began (seconds since the epoch)."""

    def __init__(self, clients: Clients, stack: str, began_at_s: float) -> None:
        self._clients = clients
        self._made = made(clients, stack)
        self._began = datetime.fromtimestamp(began_at_s // _MINUTE_S * _MINUTE_S, UTC)
        # Of a mapping that is disabled nothing is waited for.
        self._consumed = {one["EventSourceArn"] for one in _mappings(clients, self._made) if one["State"] not in _IDLE}
        self._counted: tuple[float, ...] = ()
        self._counted_at_s = -math.inf
        self._standard = [
            arn
            for arn in self._made.machines
            if clients("stepfunctions").describe_state_machine(stateMachineArn=arn)["type"] == "STANDARD"
        ]

    def look(self, *, fresh: bool = False) -> Seen:
        """Returns what is under way now; the metrics with it may be a minute old, unless they must be `fresh`. Raises botocore's errors."""
        sqs, machines = self._clients("sqs"), self._clients("stepfunctions")
        under_way = {"messages in queues": 0, "executions": 0}
        marks: list[object] = []
        for url in self._made.queues:
            told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", *WAITING])["Attributes"]
            count = sum(int(told[name]) for name in WAITING)
            marks.append(count)
            if told["QueueArn"] in self._consumed:
                under_way["messages in queues"] += count
        for arn in self._standard:
            under_way["executions"] += len(machines.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"])
        # Each metric that is asked for costs something, and changes once a minute.
        if fresh or self._clients.endpoint or time.monotonic() - self._counted_at_s >= _MINUTE_S:
            self._counted, self._counted_at_s = tuple(self._metrics()), time.monotonic()
        marks += self._counted
        return Seen({what: count for what, count in under_way.items() if count}, tuple(marks))

    def _metrics(self) -> Iterator[float]:
        """Yields how often each function was invoked and each state machine started since the run began."""
        wanted = [("AWS/Lambda", "Invocations", "FunctionName", name) for name in self._made.functions]
        wanted += [("AWS/States", "ExecutionsStarted", "StateMachineArn", arn) for arn in self._made.machines]
        queries = [
            {
                "Id": f"m{number}",
                "MetricStat": {
                    "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": [{"Name": name, "Value": value}]},
                    "Period": _MINUTE_S,
                    "Stat": "Sum",
                },
            }
            for number, (namespace, metric, name, value) in enumerate(wanted)
        ]
        end = datetime.now(UTC) + timedelta(minutes=1)
        for start in range(0, len(queries), _QUERIES_PER_REQUEST):
            some = queries[start : start + _QUERIES_PER_REQUEST]
            pages = self._clients("cloudwatch").get_paginator("get_metric_data")
            counts = dict.fromkeys((query["Id"] for query in some), 0.0)
            for page in pages.paginate(MetricDataQueries=some, StartTime=self._began, EndTime=end):
                for found in page["MetricDataResults"]:
                    counts[found["Id"]] += sum(found["Values"])
            yield from counts.values()


def settle_time_s(clients: Clients, stack: str, asked_s: float | None) -> float:
    """Returns for how long nothing must change until a stack is taken for at rest: `asked_s`, or, where that is None, as long as metrics may be late, a function may take, be tried
    again, and its queue may hide and delay a message. In both cases what Firehose waits for its buffers comes to it. Raises botocore's errors."""
    of_stack = made(clients, stack)
    firehose = clients("firehose")
    buffers = [
        int(one["BufferingHints"].get("IntervalInSeconds", _BUFFERED_S))
        for name in of_stack.of("AWS::KinesisFirehose::DeliveryStream")
        for target in firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]["Destinations"]
        for one in target.values()
        if isinstance(one, dict) and "BufferingHints" in one
    ]
    return (_settle_time_s(clients, of_stack) if asked_s is None else asked_s) + max(buffers, default=0)


def _settle_time_s(clients: Clients, of_stack: Made) -> int:
    functions, queues = clients("lambda"), clients("sqs")
    longest = [functions.get_function_configuration(FunctionName=name)["Timeout"] for name in of_stack.functions]
    windows = [_window_s(one) for one in _mappings(clients, of_stack)]
    # An Express execution lasts for five minutes at most, and ListExecutions does not have it.
    longest += [_EXPRESS_S] * bool(of_stack.machines)
    for url in of_stack.queues:
        told = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout", "DelaySeconds"])["Attributes"]
        longest.append(int(told["VisibilityTimeout"]) + int(told["DelaySeconds"]))
    return _METRICS_AFTER_S + _TRIED_AGAIN_WITHIN_S + max(longest, default=0) + max(windows, default=0)


def _window_s(mapping: Mapping[str, Any]) -> int:
    """Returns how long a mapping waits for its batch."""
    return int(mapping.get("MaximumBatchingWindowInSeconds") or 0) + int(mapping.get("TumblingWindowInSeconds") or 0)


def _mappings(clients: Clients, of_stack: Made) -> list[dict[str, Any]]:
    return [clients("lambda").get_event_source_mapping(UUID=one) for one in of_stack.of("AWS::Lambda::EventSourceMapping")]
