"""The value of a CloudWatch metric over the run.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from harness.errors import UnknownVerdictError
from harness.parts.checks.sql import found_by
from harness.parts.ports import Check, Context, Finding

_DAY_S = 86_400


class Metric(Check):
    """Compares a metric since the run began, to the minute, with `equals`, `at_least` or `at_most`, or with `equals_query`: the one value
    that a query returns over the tables `ledger` and `observations` of the run."""

    namespace: str
    metric: str
    dimensions: dict[str, str] = Field(default={})
    statistic: Literal["Sum", "Average", "Minimum", "Maximum", "SampleCount"] = "Sum"
    equals: float | None = None
    equals_query: str | None = None
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _expects_something(self) -> Self:
        if self.equals is None and self.equals_query is None and self.at_least is None and self.at_most is None:
            raise ValueError("expected one of equals, equals_query, at_least, at_most")
        return self

    def open(self, context: Context) -> Finding:
        """Returns how the metric compares. Raises UnknownVerdictError where it has no data and nothing tells how much there should be."""
        now = datetime.now(UTC)
        points = context.clients("cloudwatch").get_metric_statistics(
            Namespace=self.namespace,
            MetricName=self.metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in self.dimensions.items()],
            StartTime=datetime.fromtimestamp(context.started_at_s // 60 * 60, tz=UTC),
            EndTime=now + timedelta(minutes=5),
            Period=_DAY_S,
            Statistics=[self.statistic],
        )["Datapoints"]
        counted = None if self.equals_query is None else _counted(self.equals_query, context)
        if not points and counted is None:
            raise UnknownVerdictError(f"the metric {self.namespace} {self.metric} has no data")
        # What was to be counted is known, and a metric without data has counted nothing.
        value = _combined(self.statistic, [point[self.statistic] for point in points]) if points else 0.0
        expected = [
            (f"{counted:g} (by the query over this run's records)", value == counted) if counted is not None else None,
            (f"{self.equals:g}", value == self.equals) if self.equals is not None else None,
            (f"at least {self.at_least:g}", value >= self.at_least) if self.at_least is not None else None,
            (f"at most {self.at_most:g}", value <= self.at_most) if self.at_most is not None else None,
        ]
        found = [item for item in expected if item is not None]
        wanted = ", ".join(text for text, _ in found)
        return Finding(all(holds for _, holds in found), f"{self.statistic} of {self.metric}: expected {wanted}; found {value:g}")


def _counted(query: str, context: Context) -> float:
    rows = found_by(query, context, {})
    if len(rows) != 1 or len(rows[0]) != 1 or not isinstance(rows[0][0], int | float | Decimal):
        raise UnknownVerdictError(f"equals_query: expected one number, found {rows[:3]}")
    return float(rows[0][0])


def _combined(statistic: str, values: list[float]) -> float:
    """Returns the statistic over several periods."""
    match statistic:
        case "Minimum":
            return min(values)
        case "Maximum":
            return max(values)
        case "Average":
            return sum(values) / len(values)
        case _:
            return sum(values)
