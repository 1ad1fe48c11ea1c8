"""EventBridge Scheduler: schedules that would never start. https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html"""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import available_timezones

_NOTHING = re.compile(r"rate\(\s*0+\s")
_MOST_WINDOW_MIN = 1440


def _schedule(request: Any) -> tuple[str, str] | None:
    expression, zone = str(request.get("ScheduleExpression")), request.get("ScheduleExpressionTimezone")
    window = request.get("FlexibleTimeWindow") or {}
    minutes = window.get("MaximumWindowInMinutes")
    if _NOTHING.match(expression):
        return "ValidationException", f"Invalid Schedule Expression {expression}."
    if zone and zone not in available_timezones():
        return "ValidationException", f"Invalid Schedule Expression Timezone {zone}."
    if window.get("Mode") == "FLEXIBLE" and minutes is None:
        return "ValidationException", "A flexible time window needs a maximum window."
    if window.get("Mode") == "OFF" and minutes is not None:
        return "ValidationException", "A maximum window cannot be specified when the mode is OFF."
    return None


CHECKS = {"CreateSchedule": _schedule, "UpdateSchedule": _schedule}
