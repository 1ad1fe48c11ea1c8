"""Metrics of LocalStack's own services: counted, and sent to CloudWatch a few times a second, together.

LocalStack makes a request or two for every invocation and every message, which takes longer than what they count: a thousand messages keep
it busy for a minute after the pipeline has come to rest."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

from localstack.aws.connect import connect_to
from localstack.services.plugins import SERVICE_PLUGINS

from harness.inside.gauges.deliveries import DELIVERIES

LOG = logging.getLogger(__name__)

LINGER_S = 0.1
# Limit of PutMetricData: values of a metric.
_VALUES_PER_METRIC = 150


class Metric(NamedTuple):
    """A metric of one resource; `dimension` names it: ("QueueName", "input")."""

    account: str
    region: str
    namespace: str
    dimension: tuple[str, str]
    name: str
    unit: str = "Count"


_OF_READERS = frozenset({"NumberOfEmptyReceives", "NumberOfMessagesReceived", "NumberOfMessagesDeleted"})
# Whose single values are kept, for percentiles. LocalStack's database has a row for each of them, and one for any number of the others.
_BY_VALUE = frozenset({"Duration", "IteratorAge", "ExecutionTime"})
_counted: dict[tuple[Metric, float], int] = {}
_lock = threading.Lock()
_something = threading.Event()
_sender: list[threading.Thread] = []


def count(metric: Metric, value: float = 1.0) -> None:
    """Counts one value of a metric. Until it is sent, it is under way: an alarm may follow from it. Metrics of who only reads are not: an actor
    that polls a queue would never let a pipeline come to rest."""
    counted = metric, float(value)
    with _lock:
        times = _counted.get(counted, 0)
        _counted[counted] = times + 1
        if not times and metric.name not in _OF_READERS:
            DELIVERIES.enter(metric.account)
        if not _sender:
            _sender.append(threading.Thread(target=_send_all, name="metrics", daemon=True))
            _sender[0].start()
    # Who sends looks into what is counted after it has forgotten that there is something.
    if not _something.is_set():
        _something.set()


def _send_all() -> None:
    """Sends what was counted, a few times a second, and never twice at once: what comes meanwhile goes out together."""
    while True:
        _something.wait()
        _something.clear()
        threading.Event().wait(LINGER_S)
        _send()


def _send() -> None:
    with _lock:
        counted = dict(_counted)
        _counted.clear()
    try:
        for (account, region, namespace), data in data_of(counted).items():
            try:
                _store(account, region, namespace, data)
            except Exception:
                LOG.exception("Metrics of namespace %s could not be stored", namespace)
    finally:
        for metric, _ in counted:
            if metric.name not in _OF_READERS:
                DELIVERIES.leave(metric.account)


def data_of(counted: dict[tuple[Metric, float], int]) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """Returns the metric data of PutMetricData by account, region and namespace."""
    values: dict[Metric, list[tuple[float, int]]] = defaultdict(list)
    for (metric, value), times in counted.items():
        values[metric].append((value, times))
    data: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for metric, pairs in values.items():
        for told in _told(metric, pairs):
            data[metric.account, metric.region, metric.namespace].append(
                {
                    "MetricName": metric.name,
                    "Dimensions": [{"Name": metric.dimension[0], "Value": metric.dimension[1]}],
                    "Timestamp": datetime.now(UTC),
                    "Unit": metric.unit,
                    **told,
                }
            )
    return data


def _told(metric: Metric, pairs: list[tuple[float, int]]) -> list[dict[str, Any]]:
    """Returns the values of a metric, of (value, times), as PutMetricData takes them."""
    if metric.name not in _BY_VALUE:
        statistics = {
            "SampleCount": float(sum(times for _, times in pairs)),
            "Sum": float(sum(value * times for value, times in pairs)),
            "Minimum": min(value for value, _ in pairs),
            "Maximum": max(value for value, _ in pairs),
        }
        return [{"StatisticValues": statistics}]
    parts = [pairs[start : start + _VALUES_PER_METRIC] for start in range(0, len(pairs), _VALUES_PER_METRIC)]
    return [{"Values": [value for value, _ in part], "Counts": [float(times) for _, times in part]} for part in parts]


def _store(account: str, region: str, namespace: str, data: list[dict[str, Any]]) -> None:
    """Writes metrics into CloudWatch's database. A PutMetricData takes five times as long, and these are well formed."""
    provider = SERVICE_PLUGINS.require("cloudwatch")._provider  # noqa: SLF001 - there is no other way to it
    provider.cloudwatch_database.add_metric_data(account, region, namespace, data)


def put(account: str, region: str, namespace: str, data: list[dict[str, Any]]) -> None:
    """Makes one PutMetricData. CloudWatch may refuse a metric; the call that was counted has succeeded all the same."""
    try:
        connect_to(aws_access_key_id=account, region_name=region).cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    except Exception as error:  # noqa: BLE001 - whatever refuses it
        LOG.warning("Metrics of namespace %s were refused: %s", namespace, error)
