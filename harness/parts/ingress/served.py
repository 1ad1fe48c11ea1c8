"""A paged HTTP API that the pipeline fetches from (harness/served.py)."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import from_json

from harness.accounting.record import Answer, Record, Status, now_ms
from harness.aws.schedules import AwsSchedules
from harness.emulator.plugin import ask
from harness.emulator.schedules import SchedulesClient
from harness.emulator.served import EmulatorsApis, ServedApis
from harness.errors import UnknownVerdictError, UsageError
from harness.faults.window import Window
from harness.parts.part import Part
from harness.parts.ports import Context, Ingress
from harness.parts.units import Offer, Unit, records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.emulator.schedules import Schedules

_POLL_S = 0.1
_AGAIN_AFTER_S = 20
"""On AWS nothing tells whether what was started has ended. The schedule is fired again once no new record was fetched for so long, and for as long as an answer may take."""
_RECORDS_PER_REQUEST = 2000


class Other(Part):
    """What the API answers to some requests, by their numbers from 1 on, instead of the page."""

    requests: str
    answer: Literal["unauthorized", "throttled", "error", "hang", "truncated", "expired", "shuffled", "stale", "superseded"]
    status: Annotated[int, Field(ge=500, le=599)] = 503
    seconds: Annotated[int, Field(ge=0, le=120)] = 1

    @model_validator(mode="after")
    def _names_requests(self) -> Self:
        if "%" in self.requests:
            raise ValueError("requests: name them by numbers, as in 3, 10-40, every 5")
        Window.parse(self.requests)
        return self


class Served(Ingress):
    """Serves the records as items of JSON pages at ${served}/`name` to whoever sends `api_key`, and fires the schedule `rule` until every
    record was fetched.

    A record is acked once a page with it was answered whole by 200, or once the client asks for what comes after it. A record that was not fetched
    within `within_s` is indeterminate: it is still served. A record that is no JSON object cannot be an item, and is rejected.

    `answers` says which requests get something else: `unauthorized` (401), `throttled` (429, with Retry-After in `seconds`), `error` (`status`), `hang`
    (504 after `seconds`), `expired` (410 for a cursor), `truncated` (half a page), `shuffled` (another order, and a record of the page before),
    `stale` (also older versions of records of the page before: `version` is an hour before, the fields of `older` are as they were), `superseded` (older
    versions before the newest: of records of this page, and of the next)."""

    is_fetched: ClassVar[bool] = True

    name: str
    api_key: str
    rule: str
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 100
    answers: tuple[Other, ...] = ()
    version: str = ""
    older: dict[str, Any] = Field(default={})
    within_s: Annotated[float, Field(gt=0)] = 300

    @model_validator(mode="after")
    def _knows_versions(self) -> Self:
        named = next((other.answer for other in self.answers if other.answer in {"stale", "superseded"}), None)
        if named and not (self.version and self.older):
            raise ValueError(
                f"an answer is {named} by version, the field with a record's time, and older, what the older version had"
            )
        return self

    def open(self, context: Context) -> ServedSender:
        """Returns the sender. Raises UsageError for a rule that is not there."""
        return ServedSender(self, context)

    def doubts(self, context: Context) -> Iterator[str]:
        """Yields each of the answers that no request has met."""
        met = _apis(context).told(self.name)["met"]
        for other, count in zip(self.answers, met, strict=True):
            if not count:
                yield f"the served API never answered {other.answer} (requests {other.requests}): there were not so many requests"


class ServedSender:
    """Adds records to the API, and waits until they are fetched."""

    batch_size = 10_000

    def __init__(self, part: Served, context: Context) -> None:
        self._part = part
        self._context = context
        self._schedules: Schedules = (
            AwsSchedules(context.clients, context.stack, context.run_dir)
            if context.clients.aws
            else SchedulesClient(context.endpoint, context.account)
        )
        self._apis = _apis(context)
        self._rule = self._arn()
        others = [other.model_dump() for other in part.answers]
        made = {"key": part.api_key, "page_size": part.page_size, "answers": others, "version": part.version, "older": part.older}
        self._apis.make(part.name, made)

    def _arn(self) -> str:
        found, _ = self._schedules.schedules()
        for schedule in found:
            if self._part.rule in {schedule.arn, schedule.name}:
                return schedule.arn
        there = ", ".join(schedule.name for schedule in found) or "none"
        raise UsageError(f"send.rule: there is no enabled schedule {self._part.rule}; there is {there}")

    def send(self, units: Sequence[Unit]) -> Iterator[Offer]:
        """See Sender."""
        offered_at_ms = now_ms()
        batch = list(records(units))
        items = [record for record in batch if _is_object(record)]
        first = int(self._apis.told(self._part.name)["records"])
        for start in range(0, len(items), _RECORDS_PER_REQUEST):
            some = items[start : start + _RECORDS_PER_REQUEST]
            self._apis.add(
                self._part.name, [(base64.b64encode(record.payload).decode(), record.malformed is None) for record in some]
            )
        served = iter(self._fetched(first, len(items)))
        for record in batch:
            if not _is_object(record):
                answer = Answer(Status.REJECTED, offered_at_ms, detail="no JSON object: it cannot be an item of a page")
            elif next(served) is None:
                late = f"not fetched within {self._part.within_s:g} s"
                # It is still served, and may be fetched later.
                answer = Answer(Status.INDETERMINATE, offered_at_ms, detail=late)
            else:
                answer = Answer(Status.ACKED, offered_at_ms)
            yield record, answer

    def close(self) -> None:
        """Does nothing: what is served stays for the fetches that come."""

    def _fetched(self, first: int, count: int) -> list[int | None]:
        """Fires the schedule until all records from `first` on were fetched, or the time is over. Returns when each was, in ms since the epoch."""
        deadline = time.monotonic() + self._part.within_s
        served: list[int | None] = [None] * count
        while None in served and time.monotonic() < deadline:
            self._schedules.fire(self._rule)
            missing, since = served.count(None), time.monotonic()
            while time.monotonic() < deadline:
                self._context.check()
                served = list(self._apis.told(self._part.name, first)["served"])[:count]
                if served.count(None) < missing:
                    missing, since = served.count(None), time.monotonic()
                if not missing or self._has_ended(time.monotonic() - since):
                    break
                time.sleep(_POLL_S)
        return served

    def _has_ended(self, quiet_s: float) -> bool:
        """Returns whether nothing is under way: what was to fetch has ended before it had all, and is to be started again. `quiet_s` is the time since the last fetch."""
        if self._context.clients.aws:
            return quiet_s > _AGAIN_AFTER_S + max((other.seconds for other in self._part.answers), default=0)
        try:
            return bool(
                ask("GET", f"{self._context.endpoint}/_pipeproof/activity", {"account": self._context.account}, "at_rest")[
                    "at_rest"
                ]
            )
        except UnknownVerdictError:
            return False


def _apis(context: Context) -> ServedApis:
    return context.served or EmulatorsApis(context.endpoint, context.account)


def _is_object(record: Record) -> bool:
    try:
        return isinstance(from_json(record.payload), dict)
    except ValueError:
        return False
