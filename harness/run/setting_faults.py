"""Faults that are settings of functions: made before the load, taken back when the faults end, and counted by Lambda's own metrics.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html (0 stops a function),
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from harness.faults.plan import SETTING_METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.emulator.clients import Clients
    from harness.faults.plan import SettingFault

_DAY_S = 86_400
# The clock of AWS may be another one.
_LATER = timedelta(minutes=5)


class Settings:
    """The settings of one run, with physical names. `counts` says how often each has met something, once `count` has asked."""

    def __init__(self, faults: Sequence[SettingFault], clients: Clients, started_at_s: float) -> None:
        self._faults = faults
        self._clients = clients
        self._since = datetime.fromtimestamp(started_at_s // 60 * 60, tz=UTC)
        self._back: list[Callable[[], object]] = []
        self.counts: dict[str, int] = {}

    def make(self) -> None:
        """Makes the settings. Raises botocore's ClientError."""
        functions = self._clients("lambda")
        for fault in self._faults:
            name = fault.function
            if fault.kind == "reserved_concurrency":
                before = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
                self._back.append(lambda name=name, before=before: _reserve(functions, name, before))  # type: ignore[misc]
                _reserve(functions, name, fault.executions)
            else:
                before = functions.get_function_configuration(FunctionName=name)["Timeout"]
                self._back.append(lambda name=name, before=before: _limit(functions, name, before))  # type: ignore[misc]
                _limit(functions, name, fault.seconds)

    def take_back(self) -> None:
        """Gives the functions the settings that they had. Raises botocore's ClientError; what is done is not done again."""
        while self._back:
            self._back[-1]()
            self._back.pop()

    def count(self) -> None:
        """Asks how many invocations of the run Lambda has counted that a setting may have met."""
        for fault in self._faults:
            points = self._clients("cloudwatch").get_metric_statistics(
                Namespace="AWS/Lambda", MetricName=SETTING_METRICS[fault.kind],
                Dimensions=[{"Name": "FunctionName", "Value": fault.function}],
                StartTime=self._since, EndTime=datetime.now(UTC) + _LATER, Period=_DAY_S, Statistics=["Sum"],
            )["Datapoints"]  # fmt: skip
            self.counts[fault.id] = round(sum(point["Sum"] for point in points))


def _reserve(functions: Any, name: str, executions: int | None) -> None:
    if executions is None:
        functions.delete_function_concurrency(FunctionName=name)
    else:
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=executions)


def _limit(functions: Any, name: str, seconds: int | None) -> None:
    functions.update_function_configuration(FunctionName=name, Timeout=seconds)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
