"""The event that CloudWatch sends to EventBridge when an alarm changes its state. LocalStack sends none.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime
from typing import Any

from localstack.aws.connect import connect_to

from harness.inside.gauges.deliveries import in_background
from harness.inside.kept import RULES


def told(update_state: Any) -> Any:
    """Returns CloudwatchProvider._update_state that writes down when the state changed, and sends the event, where the account has any rule."""

    @functools.wraps(update_state)
    def updated(self: Any, context: Any, alarm: Any, state_value: str, state_reason: str, state_reason_data: Any = None) -> None:
        before = _state(alarm.alarm)
        history = self.get_store(context.account_id, context.region).histories
        known = len(history)
        update_state(self, context, alarm, state_value, state_reason, state_reason_data)
        _stamp(alarm.alarm, history[known:])
        if any(bus.rules for _, _, store in RULES.stores(context.account_id) for bus in store.event_buses.values()):
            entry = _entry(alarm.alarm, before)
            in_background(context.account_id, _send, context.account_id, context.region, entry)

    return updated


def _stamp(alarm: Any, added: list[Any]) -> None:
    """Writes the time of this change, in UTC. LocalStack takes the machine's time zone, and gives the history the time of the change before."""
    now = datetime.now(UTC)
    alarm["StateUpdatedTimestamp"] = now
    for item in added:
        if item["AlarmName"] == alarm["AlarmName"]:
            item["Timestamp"] = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"


def _send(account: str, region: str, entry: dict[str, Any]) -> None:
    connect_to(aws_access_key_id=account, region_name=region).events.put_events(Entries=[entry])


def _entry(alarm: Any, before: dict[str, Any]) -> dict[str, Any]:
    detail: dict[str, Any] = {"alarmName": alarm["AlarmName"], "state": _state(alarm), "previousState": before}
    if "AlarmRule" in alarm:
        detail["configuration"] = {"alarmRule": alarm["AlarmRule"]}
    elif alarm.get("MetricName"):
        dimensions = {one["Name"]: one["Value"] for one in alarm.get("Dimensions") or ()}
        metric = {"namespace": alarm.get("Namespace"), "name": alarm["MetricName"], "dimensions": dimensions}
        stat = {"metric": metric, "period": alarm.get("Period"), "stat": alarm.get("Statistic") or alarm.get("ExtendedStatistic")}
        detail["configuration"] = {"metrics": [{"id": "m1", "metricStat": stat, "returnData": True}]}
    return {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Resources": [alarm["AlarmArn"]],
        "Detail": json.dumps(detail),
    }


def _state(alarm: Any) -> dict[str, Any]:
    at = alarm.get("StateUpdatedTimestamp")
    at = at if isinstance(at, datetime) else datetime.now(UTC)
    shown = {"value": alarm.get("StateValue"), "reason": alarm.get("StateReason"), "timestamp": f"{at:%Y-%m-%dT%H:%M:%S.000+0000}"}
    if alarm.get("StateReasonData"):
        shown["reasonData"] = alarm["StateReasonData"]
    return shown
