"""When a schedule is due: at(…), rate(…) and cron(…).

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_RATE = re.compile(r"rate\(\s*(\d+)\s+(minute|hour|day)s?\s*\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_NAMES = {name.upper(): str(number) for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: str(number) for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], start=1)}
_SEARCH = timedelta(days=366)


def following(expression: str, after: datetime, began: datetime, zone: str = "UTC") -> datetime | None:
    """Returns the first time after `after` at which a schedule is due; None where there is none. `began` is when it was created, which
    rates count from. Raises ValueError for another expression."""
    if expression.startswith("at("):
        at = datetime.fromisoformat(expression[3:-1]).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return at if at > after else None
    if found := _RATE.fullmatch(expression):
        every_s = int(found[1]) * _SECONDS[found[2]]
        done = int((after - began).total_seconds() // every_s)
        return began + timedelta(seconds=every_s * (max(done, 0) + 1))
    if expression.startswith("cron("):
        return _next_cron(expression[5:-1].split(), after, ZoneInfo(zone))
    message = f"{expression} is no schedule"
    raise ValueError(message)


def _next_cron(fields: list[str], after: datetime, zone: ZoneInfo) -> datetime | None:
    if len(fields) != 6:
        message = f"cron({' '.join(fields)}): expected six fields"
        raise ValueError(message)
    minutes, hours, days, months, weekdays, years = fields
    local = after.astimezone(zone).replace(second=0, microsecond=0) + timedelta(minutes=1)
    end = local + _SEARCH
    while local < end:
        if not (
            _fits(years, local.year, 1970) and _fits(_named(months, _NAMES), local.month, 1) and _day_fits(days, weekdays, local)
        ):
            local = (local + timedelta(days=1)).replace(hour=0, minute=0)
        elif not _fits(hours, local.hour, 0):
            local = (local + timedelta(hours=1)).replace(minute=0)
        elif not _fits(minutes, local.minute, 0):
            local += timedelta(minutes=1)
        else:
            return local.astimezone(UTC)
    return None


def _day_fits(days: str, weekdays: str, at: datetime) -> bool:
    last = calendar.monthrange(at.year, at.month)[1]
    of_month = days == "?" or (at.day == last if days == "L" else _fits(days, at.day, 1))
    weekday = at.isoweekday() % 7 + 1
    named = _named(weekdays, _DAYS)
    if found := re.fullmatch(r"(\d)#(\d)", named):
        return of_month and weekday == int(found[1]) and (at.day - 1) // 7 + 1 == int(found[2])
    if found := re.fullmatch(r"(\d)L", named):
        return of_month and weekday == int(found[1]) and at.day + 7 > last
    return of_month and (weekdays == "?" or _fits(named, weekday, 1))


def _named(field: str, names: dict[str, str]) -> str:
    return re.sub(r"[A-Za-z]{3}", lambda found: names.get(found[0].upper(), found[0]), field)


def _fits(field: str, value: int, first: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span in {"*", "?"}:
            low, high = first, value
        elif "-" in span:
            low, high = (int(end) for end in span.split("-"))
        else:
            low = int(span)
            high = value if step else low
        if low <= value <= high and (not step or (value - low) % int(step) == 0):
            return True
    return False
