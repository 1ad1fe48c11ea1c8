"""EventBridge Scheduler: starts what is due. LocalStack only keeps schedules.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/what-is-scheduler.html
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness.inside import schedules
from harness.inside.events import clock
from harness.inside.events.delivery import delivered
from harness.inside.kept import SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Iterable

LOG = logging.getLogger(__name__)

_LOOK_S = 0.5
_PAGE = 100
_started = threading.Event()
_looked_at: dict[str, tuple[str, datetime]] = {}
"""By ARN: the expression, and until when the schedule has been looked at."""


def start() -> None:
    """Starts the clock, once."""
    if not _started.is_set():
        _started.set()
        threading.Thread(target=_run, name="scheduler", daemon=True).start()


def page(schedules: Iterable[Any], prefix: str | None, token: str | None, most: Any) -> tuple[list[Any], str | None]:
    """Returns the schedules whose names begin so, up to `most` after the token, and the token of the next page where there are more."""
    found = sorted((one for one in schedules if one.name.startswith(prefix or "")), key=lambda one: str(one.arn))
    rest = [one for one in found if token is None or one.arn > token]
    shown = rest[: int(most or _PAGE)]
    return shown, shown[-1].arn if len(shown) < len(rest) else None


def _run() -> None:
    while True:
        threading.Event().wait(_LOOK_S)
        backends = SCHEDULES.look()
        if backends is None:
            continue
        for account in list(backends):
            for region, backend in list(backends[account].items()):
                for group in list(backend.schedule_groups.values()):
                    for one in list(group.schedules.values()):
                        try:
                            _look(account, region, group, one)
                        except Exception as error:  # noqa: BLE001 - one wrong schedule must not stop the others
                            LOG.warning("Schedule %s: %s", one.arn, error)


def _look(account: str, region: str, group: Any, one: Any) -> None:
    now = datetime.now(UTC)
    began = one.creation_date if isinstance(one.creation_date, datetime) else datetime.fromtimestamp(float(one.creation_date), UTC)
    began = began if began.tzinfo else began.replace(tzinfo=UTC)
    # What became due between its creation and the first look is started, too.
    known = _looked_at.get(one.arn, (one.schedule_expression, began))
    if known[0] != one.schedule_expression:
        known = (one.schedule_expression, now)
    _looked_at[one.arn] = known
    if one.state != "ENABLED" or schedules.is_over(one.arn):
        return
    due = clock.following(one.schedule_expression, known[1], began, one.schedule_expression_timezone or "UTC")
    if due is None or due > now:
        return
    _looked_at[one.arn] = (one.schedule_expression, now)
    schedule = schedules.of_scheduler(account, region, one)
    event = schedule.event()
    delivered(schedule.fire, account, one.target, one.arn, event)
    if schedule.once and getattr(one, "action_after_completion", None) == "DELETE":
        group.schedules.pop(one.name, None)
