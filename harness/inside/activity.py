"""What is in flight inside LocalStack, served at GET /_pipeproof/activity, so that a drain knows rest instead of guessing it.

With ?account=… only what belongs to that AWS account counts: others may share the emulator. The answer is JSON:

    requests      AWS requests served since the start, without reads by the harness: two equal values frame a quiet time
    in_flight     {requests, invocations, deliveries}: being served; running or waiting for an environment; handed
                  to a background thread (SNS, S3 notifications, asynchronous invocations)
    streams       [{stream, shard, mapping, behind}]: records that an event source mapping has not finished with
    queues        [{queue, visible, in_flight, delayed, consumed}]: `consumed` where an event source mapping reads it
    executions    running Step Functions executions
    at_rest       true where nothing above is under way and no consumed queue holds a message
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from localstack.http import Response, route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from localstack.aws.api import RequestContext

PATH = "/_pipeproof/activity"
_LAMBDA = "localstack.services.lambda_.invocation.models"


class Gauge:
    """How many things of one kind are under way, by account ("" where nobody knows whose they are)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, account: str | None) -> int:
        """Those of the account and those of nobody; None: all."""
        return self._counts.total() if account is None else self._counts[account] + self._counts[""]

    def enter(self, account: str = "") -> None:
        with self._lock:
            self._counts[account] += 1

    def leave(self, account: str = "") -> None:
        with self._lock:
            self._counts[account] -= 1

    @contextmanager
    def one(self, account: str) -> Iterator[None]:
        self.enter(account)
        try:
            yield
        finally:
            self.leave(account)


REQUESTS = Gauge()
INVOCATIONS = Gauge()
DELIVERIES = Gauge()
_served: Counter[str] = Counter()
_serving = threading.Lock()


class CountedExecutor(ThreadPoolExecutor):
    """A thread pool whose unfinished tasks count as deliveries."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        DELIVERIES.enter()
        try:
            future = super().submit(fn, *args, **kwargs)
        except RuntimeError:
            DELIVERIES.leave()
            raise
        future.add_done_callback(lambda _: DELIVERIES.leave())
        return future


# Long polls, and what the harness reads while it waits: they say nothing about the pipeline.
_IDLE_OPERATIONS = frozenset({"ReceiveMessage", "GetActivityTask", "SubscribeToShard"})


def request_begins(_chain: Any, context: RequestContext, _response: Any) -> None:
    """A handler of the gateway's request chain."""
    if context.operation is None or context.operation.name in _IDLE_OPERATIONS:
        return
    REQUESTS.enter(context.account_id)
    context.pipeproof_counted = True
    with _serving:
        _served[context.account_id] += 1


def request_ends(_chain: Any, context: RequestContext, _response: Any) -> None:
    """A finalizer of the gateway's chain: runs whether the request succeeded or not."""
    if getattr(context, "pipeproof_counted", False):
        context.pipeproof_counted = False
        REQUESTS.leave(context.account_id)


def snapshot(account: str | None) -> dict[str, Any]:
    """The answer described above."""
    streams = _streams(account)
    queues = _queues(account)
    executions = _executions(account)
    in_flight = {
        "requests": REQUESTS.count(account),
        "invocations": INVOCATIONS.count(account),
        "deliveries": DELIVERIES.count(account) + _asynchronous_invocations(),
    }
    busy_queues = [q for q in queues if q["consumed"] and q["visible"] + q["in_flight"] + q["delayed"]]
    busy = any(in_flight.values()) or any(s["behind"] for s in streams) or executions or busy_queues
    return {
        "requests": _served.total() if account is None else _served[account],
        "in_flight": in_flight,
        "streams": streams,
        "queues": queues,
        "executions": executions,
        "at_rest": not busy,
    }


def _loaded(module: str) -> ModuleType | None:
    """The module, if LocalStack has loaded it: a service that was never used has nothing under way."""
    return sys.modules.get(module)


def _streams(account: str | None) -> list[dict[str, Any]]:
    kinesis = _loaded("harness.inside.kinesis.mapping")
    if kinesis is None:
        return []
    return [
        {"stream": mapping.source_arn, "shard": shard_id, "mapping": mapping.esm_uuid, "behind": behind}
        for mapping in kinesis.live_mappings()
        if account in {None, mapping.source_arn.split(":")[4]}
        for shard_id, behind in mapping.behind()
    ]


def _queues(account: str | None) -> list[dict[str, Any]]:
    consumed = {
        mapping.get("EventSourceArn")
        for store in _stores(_LAMBDA, "lambda_stores", account)
        for mapping in list(store.event_source_mappings.values())
    }
    return [
        {
            "queue": queue.arn,
            "visible": _visible(queue),
            "in_flight": len(queue.inflight),
            "delayed": len(queue.delayed),
            "consumed": queue.arn in consumed,
        }
        for store in _stores("localstack.services.sqs.models", "sqs_stores", account)
        for queue in list(store.queues.values())
    ]


def _visible(queue: Any) -> int:
    # The property was renamed between the two releases of LocalStack that are supported.
    name = "approximate_number_of_messages" if hasattr(queue, "approximate_number_of_messages") else "approx_number_of_messages"
    return int(getattr(queue, name))


def _stores(module: str, bundle: str, account: str | None) -> list[Any]:
    loaded = _loaded(module)
    stores = getattr(loaded, bundle).iter_stores() if loaded else ()
    return [store for owner, _, store in stores if account in {None, owner}]


def _asynchronous_invocations() -> int:
    module = _loaded("localstack.services.lambda_.invocation.internal_sqs_queue")
    if module is None:
        return 0
    queues = list(module.get_fake_sqs_client().queue_manager.queues.values())
    return sum(_visible(queue) + len(queue.inflight) + len(queue.delayed) for queue in queues)


def _executions(account: str | None) -> int:
    return sum(
        execution.exec_status == "RUNNING"
        for store in _stores("localstack.services.stepfunctions.backend.store", "sfn_stores", account)
        for execution in list(store.executions.values())
    )


@route(PATH, methods=["GET"])
def serve(request: Any, **_: Any) -> Response:
    """The route on LocalStack's edge router."""
    return Response.for_json(snapshot(request.args.get("account")))
