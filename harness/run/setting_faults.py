"""Faults that are settings of functions: made before the load, taken back when the faults end. Lambda's own metrics and logs tell what they have met.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html (0 stops a function),
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html (Throttles; AsyncEventsDropped of asynchronous invocations),
https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html (the log of a time-out)
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.emulator.clients import Clients
    from harness.faults.plan import SettingFault

_MINUTE_S = 60
_THROTTLED = ("Throttles", "AsyncEventsDropped")


class Settings:
    """The settings of one run, with physical names. `counts` says how many invocations each has met, once `count` has asked."""

    def __init__(self, faults: Sequence[SettingFault], clients: Clients) -> None:
        self._faults = faults
        self._clients = clients
        self._began_s = self._ended_s = time.time()
        self._back: list[Callable[[], object]] = []
        self.counts: dict[str, int] = {}

    def make(self) -> None:
        """Makes the settings. Raises UsageError for a time-out that the function has already, and botocore's ClientError."""
        functions = self._clients("lambda")
        for fault in self._faults:
            name = fault.function
            if fault.seconds is None:
                before = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
                self._back.append(lambda name=name, before=before: _reserve(functions, name, before))  # type: ignore[misc]
                _reserve(functions, name, 0)
            else:
                before = functions.get_function_configuration(FunctionName=name)["Timeout"]
                if before <= fault.seconds:
                    raise UsageError(f"faults: {fault.id} (timeout): {name} has {before} s, and {fault.seconds} s are no less")
                self._back.append(lambda name=name, before=before: _limit(functions, name, before))  # type: ignore[misc]
                _limit(functions, name, fault.seconds)

    def take_back(self) -> None:
        """Gives the functions the settings that they had. Raises botocore's ClientError; what is done is not done again."""
        while self._back:
            self._back[-1]()
            self._back.pop()
            self._ended_s = time.time()

    def count(self) -> tuple[str, ...]:
        """Asks how many invocations the settings have met. Returns a doubt for each that cannot be asked about."""
        doubts = []
        for fault in self._faults:
            try:
                self.counts[fault.id] = (
                    self._throttled(fault.function) if fault.seconds is None else self._timed_out(fault.function, fault.seconds)
                )
            except (ClientError, BotoCoreError) as error:
                doubts.append(f"fault {fault.id} ({fault.kind}): what it has met is not known: {error}")
        return tuple(doubts)

    def _throttled(self, name: str) -> int:
        """Returns how many invocations were throttled, or dropped without a try, in the minutes in which the setting held."""
        ended_s = -(-self._ended_s // _MINUTE_S) * _MINUTE_S
        found = 0.0
        for metric in _THROTTLED:
            points = self._clients("cloudwatch").get_metric_statistics(
                Namespace="AWS/Lambda", MetricName=metric, Dimensions=[{"Name": "FunctionName", "Value": name}],
                StartTime=datetime.fromtimestamp(self._began_s // _MINUTE_S * _MINUTE_S, tz=UTC),
                EndTime=datetime.fromtimestamp(ended_s, tz=UTC), Period=_MINUTE_S, Statistics=["Sum"],
            )["Datapoints"]  # fmt: skip
            found += sum(point["Sum"] for point in points)
        return round(found)

    def _timed_out(self, name: str, seconds: int) -> int:
        """Returns how many invocations this time-out has ended: the log of each names it, and the function's own is another one."""
        configured = self._clients("lambda").get_function_configuration(FunctionName=name)
        group = (configured.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
        logs = self._clients("logs")
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=int(self._began_s * 1000), filterPattern=f'"Task timed out after {seconds}.00 seconds"'
        )
        try:
            return sum(len(page["events"]) for page in pages)
        except logs.exceptions.ResourceNotFoundException:
            # It has never been invoked.
            return 0


def _reserve(functions: Any, name: str, executions: int | None) -> None:
    if executions is None:
        functions.delete_function_concurrency(FunctionName=name)
    else:
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=executions)


def _limit(functions: Any, name: str, seconds: int) -> None:
    functions.update_function_configuration(FunctionName=name, Timeout=seconds)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
