"""The state of a CloudWatch alarm, and whether it rang.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import NonNegativeFloat
from pydantic_core import from_json

from harness.errors import UnknownVerdictError
from harness.parts.ports import Check, Context, Finding

_POLL_S = 0.5
_TYPES = ["MetricAlarm", "CompositeAlarm"]


class Alarm(Check):
    """Expects the alarm `alarm` to come into `state` within `within_s` seconds: CloudWatch evaluates alarms now and then.

    With `rang: true` it must have entered ALARM at least once since the run began; with `state: OK` it must be quiet again. With `rang: false`
    it must not have entered ALARM, and must not within `within_s`, which is waited out: give more than one period of the alarm, in all of
    the checks before together."""

    alarm: str
    state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"] | None = None
    rang: bool | None = None
    within_s: NonNegativeFloat = 90

    def open(self, context: Context) -> Finding:
        """Returns whether the alarm did as expected. Raises UnknownVerdictError for an alarm that does not exist."""
        state = self.state or ("ALARM" if self.rang is None else None)
        expected = [*([state] if state else []), *([] if self.rang is None else ["rang" if self.rang else "never rang"])]
        deadline = time.monotonic() + self.within_s
        while True:
            context.check()
            # The history first: an alarm that rings between the two looks is then seen in its state.
            rang = self._rang(context)
            found = self._state(context)
            rang = rang or found == "ALARM"
            over = time.monotonic() > deadline
            # That an alarm is quiet is known at the end of the time only.
            holds = (state is None or found == state) and (self.rang is None or (rang == self.rang and (self.rang or over)))
            if holds or over or (self.rang is False and rang):
                told = [found, *([] if self.rang is None else ["rang" if rang else "never rang"])]
                return Finding(holds, f"alarm {self.alarm}: expected {', '.join(expected)}; found {', '.join(told)}")
            time.sleep(_POLL_S)

    def _state(self, context: Context) -> str:
        answer = context.clients("cloudwatch").describe_alarms(AlarmNames=[self.alarm], AlarmTypes=_TYPES)
        alarms = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
        if not alarms:
            raise UnknownVerdictError(f"there is no alarm {self.alarm}")
        return str(alarms[0]["StateValue"])

    def _rang(self, context: Context) -> bool:
        began = datetime.fromtimestamp(context.started_at_s, tz=UTC)
        pages = context.clients("cloudwatch").get_paginator("describe_alarm_history")
        found = pages.paginate(AlarmName=self.alarm, AlarmTypes=_TYPES, HistoryItemType="StateUpdate", StartDate=began)
        return any(_is_ringing(item) for page in found for item in page["AlarmHistoryItems"])


def _is_ringing(item: dict[str, Any]) -> bool:
    return bool(from_json(item["HistoryData"])["newState"]["stateValue"] == "ALARM")
