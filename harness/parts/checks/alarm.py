"""The state of a CloudWatch alarm.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
"""

from __future__ import annotations

import time
from typing import Literal

from pydantic import NonNegativeFloat

from harness.errors import UnknownVerdictError
from harness.parts.ports import Check, Context, Finding

_POLL_S = 0.5


class Alarm(Check):
    """Expects the alarm `alarm` to come into `state` within `within_s` seconds: CloudWatch evaluates alarms now and then."""

    alarm: str
    state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"] = "ALARM"
    within_s: NonNegativeFloat = 90

    def open(self, context: Context) -> Finding:
        """Returns whether the alarm came into the state. Raises UnknownVerdictError for an alarm that does not exist."""
        cloudwatch = context.clients("cloudwatch")
        deadline = time.monotonic() + self.within_s
        while True:
            context.check()
            answer = cloudwatch.describe_alarms(AlarmNames=[self.alarm])
            alarms = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
            if not alarms:
                raise UnknownVerdictError(f"there is no alarm {self.alarm}")
            state = alarms[0]["StateValue"]
            if state == self.state or time.monotonic() > deadline:
                return Finding(state == self.state, f"alarm {self.alarm}: expected {self.state}, found {state}")
            time.sleep(_POLL_S)
