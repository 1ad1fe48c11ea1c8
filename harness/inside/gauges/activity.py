"""GET /_pipeproof/activity: what is under way inside LocalStack, so that a drain knows rest.

With ?account=… only what belongs to that AWS account counts: others may share the emulator. The answer is JSON:

    requests      AWS requests served since the start: two equal values frame a quiet time
    slow          the calls among the requests being served that have taken more than five seconds, such as s3.GetObject
    in_flight     {requests, invocations, deliveries}: being served; running or waiting for an environment; handed to a background
                  thread (SNS, S3 notifications, asynchronous invocations)
    streams       [{stream, shard, mapping, behind}]: records that an event source mapping has not finished with; an open window counts
    queues        [{queue, visible, in_flight, delayed, consumed}]: `consumed` where an event source mapping reads it
    buffers       [{stream, records, due_s}]: records that wait in a Firehose delivery stream; `due_s` is when they are delivered
    source_records records of a Kinesis stream that are not in the buffer of the delivery stream that reads it
    executions    running Step Functions executions
    at_rest       true where no gauge is busy
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from localstack.http import Response, route

from harness.inside.gauges import deliveries, firehose, lambda_, requests, sqs, stepfunctions, streams

if TYPE_CHECKING:
    from harness.inside.gauges.gauge import Gauge

PATH = "/_pipeproof/activity"
# What hands work on is read before what takes it: work that moves meanwhile is then seen twice, and never missed.
GAUGES: tuple[Gauge, ...] = (
    streams.gauge,
    sqs.gauge,
    firehose.gauge,
    deliveries.gauge,
    stepfunctions.gauge,
    lambda_.gauge,
    requests.gauge,
)


def snapshot(account: str | None) -> dict[str, Any]:
    """Returns the answer that is described above."""
    levels = [gauge(account) for gauge in GAUGES]
    in_flight: Counter[str] = Counter()
    entries: dict[str, Any] = {}
    for level in levels:
        in_flight.update(level.in_flight)
        entries |= level.entries
    return {**entries, "in_flight": dict(in_flight), "at_rest": not any(level.busy for level in levels)}


@route(PATH, methods=["GET"])
def serve(request: Any, **_: Any) -> Response:
    """Answers on LocalStack's edge router."""
    return Response.for_json(snapshot(request.args.get("account")))
