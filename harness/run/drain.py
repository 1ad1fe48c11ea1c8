"""Waits until the pipeline is at rest. The emulator knows it: GET /_pipeproof/activity."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import urllib3

from harness.emulator import tokens
from harness.errors import UsageError
from harness.run.events import ActorActed, DrainProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_POLL_S = 0.05
# What takes long is looked at less often: after so much of the time that it has taken already.
_POLL_SHARE = 0.02
_MOST_POLL_S = 0.25
_TELL_EVERY_S = 0.5
# So many looks in a row at which only endless attempts are under way.
_SURELY = 3
WAITING = ("AWS::Kinesis::Stream", "AWS::KinesisFirehose::DeliveryStream", "AWS::SQS::Queue")
"""The types of resources in which something may wait."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Whether the pipeline came to rest. If not, `doubt` says what was still under way, or why it could not be known, and `is_late` that the time for it was over."""

    known: bool
    doubt: str = ""
    is_late: bool = False


def drain(
    endpoint: str,
    account: str,
    timeout_s: float,
    check: Callable[[], None],
    turn: Callable[[], Iterable[ActorActed]] = lambda: (),
    *,
    patient: bool = True,
) -> Iterator[DrainProgress | ActorActed | Rest]:
    """Yields progress, and at the end a Rest for the account. `check` raises where the emulator is gone. `turn` lets actors act.
    Without `patient` it also ends where mappings only try again what they never give up.

    Rest is two looks in a row at which nothing is under way, with no request served between them."""
    started = time.monotonic()
    told = 0.0
    previous: int | None = None
    endless = 0
    with urllib3.PoolManager(retries=False, timeout=10) as http:
        while True:
            check()
            yield from turn()
            activity, problem = _look(http, endpoint, account)
            elapsed_s = time.monotonic() - started
            if activity is not None:
                if activity["at_rest"] and activity["requests"] == previous:
                    yield Rest(known=True)
                    return
                previous = activity["requests"] if activity["at_rest"] else None
                endless = endless + 1 if _only_endless(activity) else 0
                if not patient and endless >= _SURELY:
                    yield Rest(known=False, doubt=f"tried again and again, and never given up: {describe(activity)}")
                    return
                if _only_buffers(activity):
                    _deliver_buffers(http, endpoint, account)
            under_way = problem or describe(activity or {})
            if problem == _NOT_SERVED:
                yield Rest(known=False, doubt=f"the endpoint {endpoint} cannot tell when it is at rest ({_NOT_SERVED})")
                return
            if elapsed_s > timeout_s:
                yield Rest(
                    known=False, doubt=f"not at rest {timeout_s:g} s after the load: {under_way}{_hint(activity)}", is_late=True
                )
                return
            if elapsed_s - told >= _TELL_EVERY_S:
                told = elapsed_s
                yield DrainProgress(under_way, elapsed_s)
            # The look that confirms a rest comes soon.
            time.sleep(_POLL_S if previous is not None else min(max(_POLL_S, elapsed_s * _POLL_SHARE), _MOST_POLL_S))


_NOTHING = "a last look"
_NOT_SERVED = "it does not serve /_pipeproof/activity"


def _look(http: urllib3.PoolManager, endpoint: str, account: str) -> tuple[dict[str, Any] | None, str]:
    try:
        answer = http.request("GET", f"{endpoint}/_pipeproof/activity?account={account}", headers=tokens.headers(endpoint))
    except urllib3.exceptions.HTTPError as error:
        return None, f"no answer ({type(error).__name__})"
    if answer.status >= 500:
        return None, f"/_pipeproof/activity answered {answer.status}; see emulator.log"
    if answer.status != 200:
        return None, _NOT_SERVED
    try:
        activity = answer.json()
    except ValueError:
        return None, _NOT_SERVED
    return (activity, "") if isinstance(activity, dict) and "at_rest" in activity else (None, _NOT_SERVED)


def under_way(endpoint: str, account: str, names: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yields what is under way in an account now: how much of what, where, and what is known of it. Queues that no mapping reads are told too, with what they hold.
    Nothing is yielded at rest where none holds anything. `names` has the names of the template by those that the deployment has made.

    Raises UsageError for an endpoint that does not tell."""
    with urllib3.PoolManager(retries=False, timeout=10) as http:
        activity, problem = _look(http, endpoint, account)
    if activity is None:
        raise UsageError(f"{endpoint} does not tell what is under way: {problem}")
    for stream in activity.get("streams", []):
        if stream["behind"]:
            yield (
                f"{stream['behind']:,} records",
                f"{_name(stream['stream'], names)}/{stream['shard']}",
                f"before mapping {stream['mapping']}",
            )
    for queue in activity.get("queues", []):
        if count := queue["visible"] + queue["in_flight"] + queue["delayed"]:
            states = [f"{queue[name]:,} {name.replace('_', ' ')}" for name in ("visible", "in_flight", "delayed") if queue[name]]
            yield (
                f"{count:,} messages",
                _name(queue["queue"], names),
                ", ".join(states) + ("" if queue["consumed"] else "; no mapping reads it"),
            )
    for buffer in activity.get("buffers", []):
        if buffer["records"]:
            yield (
                f"{buffer['records']:,} records",
                _name(buffer["stream"], names),
                f"in its buffer, delivered in {buffer['due_s']:.0f} s",
            )
    counts = {**activity.get("in_flight", {}), "executions": activity.get("executions", 0)}
    for name, what in (
        ("invocations", "Lambda"),
        ("deliveries", "SNS, S3 and EventBridge"),
        ("executions", "Step Functions"),
        ("requests", "the emulator"),
    ):
        if counts.get(name):
            yield f"{counts[name]:,} {name}", what, ", ".join(activity.get("slow", [])) if name == "requests" else ""


def _name(arn: str, names: Mapping[str, str]) -> str:
    made = arn.rpartition(":")[2].removeprefix("stream/")
    return names.get(made, made)


def _hint(activity: dict[str, Any] | None) -> str:
    """Returns what keeps messages under way, where there are any."""
    queued = any(
        queue["consumed"] and queue["visible"] + queue["in_flight"] + queue["delayed"]
        for queue in (activity or {}).get("queues", [])
    )
    return (
        ". A message that its function fails on comes back until the RedrivePolicy of the queue gives it up; without one it never ends"
        if queued
        else ""
    )


def _only_endless(activity: dict[str, Any]) -> bool:
    """Returns whether nothing is under way but batches of streams that are tried again and again."""
    streams = [stream for stream in activity.get("streams", []) if stream["behind"]]
    return bool(streams) and all(stream.get("endless") for stream in streams) and describe({**activity, "streams": []}) == _NOTHING


def _only_buffers(activity: dict[str, Any]) -> bool:
    """Returns whether nothing is under way but records that wait in a buffer for its time."""
    waiting = sum(buffer["records"] for buffer in activity.get("buffers", []))
    return bool(waiting) and describe({**activity, "buffers": []}) == _NOTHING


def _deliver_buffers(http: urllib3.PoolManager, endpoint: str, account: str) -> None:
    """Pulls the time of the buffers forward: nothing can come to them any more. A request that fails is made again with the next look."""
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        http.request("POST", f"{endpoint}/_pipeproof/buffers?account={account}", headers=tokens.headers(endpoint))


def describe(activity: dict[str, Any]) -> str:
    """Returns what is under way in words, such as "1,200 records in streams, 2 invocations"."""
    in_flight = activity.get("in_flight", {})
    queued = sum(q["visible"] + q["in_flight"] + q["delayed"] for q in activity.get("queues", []) if q["consumed"])
    parts = [
        (sum(stream["behind"] for stream in activity.get("streams", [])), "records in streams"),
        (queued, "messages in queues"),
        (sum(buffer["records"] for buffer in activity.get("buffers", [])), "records in buffers"),
        (in_flight.get("invocations", 0), "invocations"),
        (in_flight.get("deliveries", 0), "deliveries"),
        (activity.get("executions", 0), "executions"),
        (in_flight.get("requests", 0), f"requests{_slow(activity)}"),
    ]
    return ", ".join(f"{count:,} {what}" for count, what in parts if count) or _NOTHING


def _slow(activity: dict[str, Any]) -> str:
    """Returns which requests take long."""
    return f" ({', '.join(activity['slow'])})" if activity.get("slow") else ""
