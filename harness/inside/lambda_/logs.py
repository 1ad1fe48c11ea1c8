"""What an invocation leaves in CloudWatch Logs.

LocalStack writes it with one request per invocation, which takes longer than the invocation; here logs go out a few times a second, together.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from queue import Empty
from typing import TYPE_CHECKING, Any

from localstack.aws.connect import connect_to
from localstack.services.lambda_.invocation.logs import QUEUE_SHUTDOWN
from localstack.utils.aws.client_types import ServicePrincipal

from harness.inside.gauges.deliveries import DELIVERIES

if TYPE_CHECKING:
    from localstack.services.lambda_.invocation.logs import LogHandler, LogItem

LOG = logging.getLogger(__name__)

LINGER_S = 0.1
# Limits of PutLogEvents.
_EVENTS_PER_PUT, _EVENT_BYTES_PER_PUT, _EVENT_OVERHEAD_BYTES = 10_000, 1_048_576, 26
_MAX_EVENT_BYTES = 262_144 - _EVENT_OVERHEAD_BYTES


def add_logs(self: LogHandler, log_item: LogItem) -> None:
    """Replaces LogHandler.add_logs. A log on its way is under way: a subscription may turn it into records, a metric into an alarm."""
    DELIVERIES.enter(_account(self))
    self.log_queue.put(log_item)
    if self._shutdown_event.is_set():
        # An invocation that outlived its version: whoever ships the logs of that may have looked for the last time.
        threading.Thread(target=_ship_rest, args=(self,), name="last-logs", daemon=True).start()


def run_log_loop(self: LogHandler, *_: Any, **__: Any) -> None:
    """Replaces LogHandler.run_log_loop: ships the logs of one function version until it is stopped."""
    logs = _client(self)
    while True:
        item = self.log_queue.get()
        if item is not QUEUE_SHUTDOWN:
            self._shutdown_event.wait(LINGER_S)
        items = [item, *_rest(self)]
        _ship_all(self, logs, items)
        if QUEUE_SHUTDOWN in items:
            return


def _ship_rest(handler: LogHandler) -> None:
    items = _rest(handler)
    if QUEUE_SHUTDOWN in items:
        # The other one has not looked for the last time.
        handler.log_queue.put(QUEUE_SHUTDOWN)
    _ship_all(handler, None, items)


def _client(handler: LogHandler) -> Any:
    return connect_to.with_assumed_role(
        region_name=handler.region, role_arn=handler.role_arn, service_principal=ServicePrincipal.lambda_
    ).logs


def _ship_all(handler: LogHandler, logs: Any, items: list[Any]) -> None:
    """Ships what has come, by these clients or by others. Whatever happens, it is no longer under way."""
    for (group, stream), lines in _by_stream(items).items():
        try:
            _ship(logs or _client(handler), group, stream, lines)
        except Exception as error:  # noqa: BLE001 - the log of a function must not end the shipping of logs
            LOG.warning("Log of %s in %s was refused: %s", group, handler.region, error)
    for _item in range(len(items) - items.count(QUEUE_SHUTDOWN)):
        DELIVERIES.leave(_account(handler))


def _account(handler: LogHandler) -> str:
    return str(handler.role_arn).split(":")[4]


def _rest(handler: LogHandler) -> list[Any]:
    items = []
    while True:
        try:
            items.append(handler.log_queue.get_nowait())
        except Empty:
            return items


def _by_stream(items: list[LogItem]) -> dict[tuple[str, str], list[str]]:
    """Returns the lines per log group and stream, without empty ones, which CloudWatch refuses."""
    lines: dict[tuple[str, str], list[str]] = {}
    for item in items:
        if item is not QUEUE_SHUTDOWN:
            lines.setdefault((item.log_group, item.log_stream), []).extend(line for line in item.logs.split("\n") if line)
    return lines


def _ship(logs: Any, group: str, stream: str, lines: list[str]) -> None:
    timestamp = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": timestamp, "message": line.encode()[:_MAX_EVENT_BYTES].decode(errors="ignore")} for line in lines]
    for batch in _batches(events):
        try:
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=batch)
        except logs.exceptions.ResourceNotFoundException:
            try:
                logs.create_log_group(logGroupName=group)
            except logs.exceptions.ResourceAlreadyExistsException:
                LOG.debug("Log group %s exists", group)
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=batch)


def _batches(events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    batches: list[list[dict[str, Any]]] = [[]]
    size = 0
    for event in events:
        event_size = len(event["message"].encode()) + _EVENT_OVERHEAD_BYTES
        if batches[-1] and (size + event_size > _EVENT_BYTES_PER_PUT or len(batches[-1]) == _EVENTS_PER_PUT):
            batches.append([])
            size = 0
        batches[-1].append(event)
        size += event_size
    return batches
