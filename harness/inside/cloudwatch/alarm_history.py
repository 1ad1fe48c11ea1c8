"""DescribeAlarmHistory, over what LocalStack keeps.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any

_MOST = 100


def described(history: Any) -> Any:
    """Returns CloudwatchProvider.describe_alarm_history that looks at the times, the kind and the types that are asked for, and answers in pages."""

    @functools.wraps(history)
    def describe(
        self: Any,
        context: Any,
        alarm_name: str | None = None,
        alarm_types: Any = None,
        history_item_type: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        max_records: int | None = None,
        next_token: str | None = None,
        scan_by: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        kept = self.get_store(context.account_id, context.region).histories
        found = [
            item
            for item in kept
            if (not alarm_name or item["AlarmName"] == alarm_name)
            and item["AlarmType"] in (alarm_types or ["MetricAlarm"])
            and (not history_item_type or item["HistoryItemType"] == history_item_type)
            and (start_date is None or _time(item) >= _aware(start_date))
            and (end_date is None or _time(item) <= _aware(end_date))
        ]
        if scan_by != "TimestampAscending":
            found.reverse()
        first = int(next_token or 0)
        last = first + (max_records or _MOST)
        return {"AlarmHistoryItems": found[first:last], **({"NextToken": str(last)} if last < len(found) else {})}

    return describe


def _time(item: dict[str, Any]) -> datetime:
    return _aware(datetime.fromisoformat(item["Timestamp"]))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
