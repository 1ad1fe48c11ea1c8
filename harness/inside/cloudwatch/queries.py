"""GetMetricData with expressions, GetMetricStatistics with percentiles."""

from __future__ import annotations

import functools
from typing import Any

from localstack.aws.api import CommonServiceException

from harness.inside.cloudwatch import metric_math


def get_metric_data(original: Any) -> Any:
    """Returns the provider's operation. Queries with an Expression are computed from the others of the request."""

    @functools.wraps(original)
    def answered(
        self: Any,
        context: Any,
        metric_data_queries: Any,
        start_time: Any,
        end_time: Any,
        next_token: Any = None,
        scan_by: Any = None,
        **options: Any,
    ) -> Any:
        plain = [query for query in metric_data_queries if "Expression" not in query]
        output = original(self, context, plain, start_time, end_time, next_token, scan_by, **options)
        expressions = [query for query in metric_data_queries if "Expression" in query]
        if not expressions:
            return output
        results = {one["Id"]: one for one in output["MetricDataResults"]}
        series = {key: dict(zip(one["Timestamps"], one["Values"], strict=True)) for key, one in results.items()}
        left = list(expressions)
        while left:
            query = next((one for one in left if not _needs(one, left)), left[0])
            left.remove(query)
            try:
                series[query["Id"]] = metric_math.evaluated(query["Expression"], series)
            except metric_math.BadExpressionError as error:
                raise CommonServiceException("ValidationError", str(error), status_code=400, sender_fault=True) from error
            times = sorted(series[query["Id"]], reverse=scan_by != "TimestampAscending")
            results[query["Id"]] = {
                "Id": query["Id"], "Label": query.get("Label") or query["Id"], "StatusCode": "Complete",
                "Timestamps": times, "Values": [float(series[query["Id"]][time]) for time in times],
            }  # fmt: skip
        shown = [query for query in metric_data_queries if query.get("ReturnData") is not False]
        output["MetricDataResults"] = [results[query["Id"]] for query in shown]
        return output

    return answered


def _needs(query: Any, others: Any) -> bool:
    """Returns whether an expression names another one that is not computed yet."""
    return any(one is not query and one["Id"] in query["Expression"] for one in others)


def get_metric_statistics(original: Any) -> Any:
    """Returns the provider's operation, with ExtendedStatistics."""

    @functools.wraps(original)
    def answered(
        self: Any, context: Any, namespace: Any, metric_name: Any, start_time: Any, end_time: Any, period: Any, dimensions: Any = None,
        statistics: Any = None, extended_statistics: Any = None, unit: Any = None, **options: Any,
    ) -> Any:  # fmt: skip
        output = original(
            self, context, namespace, metric_name, start_time, end_time, period, dimensions, statistics or [], None, unit, **options
        )
        points = {point["Timestamp"]: point for point in output["Datapoints"]}
        metric = {"Namespace": namespace, "MetricName": metric_name, "Dimensions": dimensions or []}
        for statistic in extended_statistics or ():
            found = self.cloudwatch_database.get_metric_data_stat(
                account_id=context.account_id, region=context.region, start_time=start_time, end_time=end_time,
                scan_by="TimestampAscending", query={"MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}},
            )  # fmt: skip
            for time, value in zip(found["timestamps"], found["values"], strict=True):
                point = points.setdefault(time, {"Timestamp": time, "Unit": unit or "None"})
                point.setdefault("ExtendedStatistics", {})[statistic] = value
        output["Datapoints"] = list(points.values())
        return output

    return answered
