"""Paged HTTP APIs that pipelines fetch from: what `send: {to: served}` fills (harness/parts/ingress/served.py). An emulator serves them itself (harness/inside/served.py); for what runs on AWS
the harness does (harness/aws/served.py).

GET /_served/ACCOUNT/NAME?cursor=…&limit=…, with the key in x-api-key, answers {"items": […], "next": cursor, "more": …}. The items are the records byte for
byte, in their order. The cursor of the last page leads to what is added later.

Some requests get another answer, by their numbers from 1 on: 401, 429 with Retry-After, a 5xx, a late 504,
410 for a cursor, the first half of a page, a page that is reversed and followed by the last record of the page before, a page followed by
older versions of records that the previous page showed, and a page that shows older versions before the newest ones are shown.

A record counts as served once a page with it was answered whole, or once a client asks for what comes after it: the client then says that it has
the record, also where it got half a page.
"""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.faults.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PATH = "/_served"
"""Where the APIs of all accounts are."""

# By its clock, an older version looks younger than the newest one.
_OLDER_BY, _ELSEWHERE = timedelta(hours=1), timezone(timedelta(hours=14))
# How many older versions a page adds: of records that stand in the page before or after it, and of records that stand in it.
_BESIDE, _WITHIN = 3, 1


class Answered(NamedTuple):
    """A status, a document of JSON, and the headers beside its type and length. `shown` are the places of the records that count as served once all of it is written."""

    status: int
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})
    shown: range = range(0)


@dataclass(frozen=True, slots=True)
class Other:
    """Another answer than the page. `seconds` is how long it takes, or what Retry-After says."""

    answer: str
    requests: Window
    status: int = 503
    seconds: int = 1


@dataclass
class Api:
    """One API. `version` names the field by which records grow old; `older` has the fields that an older version had."""

    key: str
    page_size: int
    others: Sequence[Other] = ()
    version: str = ""
    older: dict[str, Any] = field(default_factory=dict)
    _records: list[tuple[bytes, bool]] = field(default_factory=list)
    _served_ms: dict[int, int] = field(default_factory=dict)
    _requests: int = 0
    _met: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, records: Sequence[tuple[bytes, bool]]) -> None:
        """Adds records, each with whether it is healthy: only a healthy one can have an older version."""
        with self._lock:
            self._records += records

    def told(self, first: int) -> dict[str, Any]:
        """Returns what GET of the control route answers."""
        with self._lock:
            served = [self._served_ms.get(i) for i in range(first, len(self._records))]
            return {"records": len(self._records), "served": served, "met": [self._met.get(i, 0) for i in range(len(self.others))]}

    def answer(self, key: str, cursor: str, limit: str) -> Answered:
        """Answers one request. What it shows counts once `served` is told so."""
        with self._lock:
            self._requests += 1
            place = next((i for i, each in enumerate(self.others) if each.requests.holds(self._requests, "")), None)
        if not hmac.compare_digest(key.encode(), self.key.encode()):
            return _error(401, "the key is not valid")
        try:
            first = max(int(base64.urlsafe_b64decode(cursor)), 0) if cursor else 0
            count = min(int(limit or self.page_size), self.page_size)
        except ValueError:
            return _error(400, "the cursor or the limit is not valid")
        self.served(range(min(first, len(self._records))))
        if place is None:
            return self._page(first, max(count, 1), "")[0]
        other = self.others[place]
        if other.answer == "hang":
            # Counted at once: the client does not wait for the end.
            self._meet(place)
            time.sleep(other.seconds)
            return _error(504, "it took too long")
        refused = _refused(other, cursor)
        answer, is_other = (refused, True) if refused else self._page(first, max(count, 1), other.answer)
        if is_other:
            self._meet(place)
        return answer

    def _meet(self, place: int) -> None:
        with self._lock:
            self._met[place] = self._met.get(place, 0) + 1

    def served(self, places: range) -> None:
        """Notes that records were answered whole."""
        with self._lock:
            now_ms = time.time_ns() // 1_000_000
            for i in places:
                self._served_ms.setdefault(i, now_ms)

    def _page(self, first: int, count: int, how: str) -> tuple[Answered, bool]:
        """Returns a page, and whether it is another one than it would be without `how`."""
        with self._lock:
            last = min(first + count, len(self._records))
            shown, is_other = [self._records[i][0] for i in range(first, last)], False
            if how == "shuffled" and shown:
                plain = shown
                shown = [*reversed(shown), *(self._records[i][0] for i in range(max(first - 1, 0), first))]
                is_other = shown != plain
            if how in {"stale", "superseded"}:
                before, behind = reversed(range(max(first - count, 0), first)), range(last, min(last + count, len(self._records)))
                beside = self._older(before if how == "stale" else behind, _BESIDE)
                within = self._older(range(first, last), _WITHIN)
                shown = [*shown, *beside, *within] if how == "stale" else [*within, *shown, *beside]
                # A client sees an older version of a record of this page beside the newest one, and can choose.
                is_other = bool(beside)
            following = base64.urlsafe_b64encode(str(last).encode()).decode()
            head = json.dumps({"next": following, "more": last < len(self._records)})
            body = head[:-1].encode() + b', "items": [' + b", ".join(shown) + b"]}"
        if how == "truncated" and shown:
            return Answered(200, body[: len(body) // 2]), True
        return Answered(200, body, shown=range(first, last)), is_other

    def _older(self, places: Iterable[int], at_most: int) -> list[bytes]:
        """Returns older versions of the first records there that can have one."""
        found: list[bytes] = []
        for place in places:
            payload, healthy = self._records[place]
            if healthy and len(found) < at_most:
                document = json.loads(payload)
                before = (datetime.fromisoformat(document[self.version]) - _OLDER_BY).astimezone(_ELSEWHERE)
                found.append(json.dumps({**document, **self.older, self.version: before.isoformat()}).encode())
        return found


def _refused(other: Other, cursor: str) -> Answered | None:
    match other.answer:
        case "unauthorized":
            return _error(401, "the key has expired")
        case "throttled":
            return _error(429, "too many requests", retry_after=str(other.seconds))
        case "error":
            return _error(other.status, "try again")
        case "expired" if cursor:
            return _error(410, "the cursor has expired")
    return None


def _error(status: int, message: str, retry_after: str = "") -> Answered:
    return Answered(status, json.dumps({"error": message}).encode(), {"Retry-After": retry_after} if retry_after else {})


class Apis:
    """The APIs of all accounts. Bodies are those of /_pipeproof/served."""

    def __init__(self) -> None:
        self._apis: dict[str, dict[str, Api]] = {}

    def make(self, account: str, name: str, made: Mapping[str, Any]) -> None:
        """Makes an API, in the place of one of that name."""
        others = [Other(**{**each, "requests": Window.parse(each["requests"])}) for each in made["answers"]]
        api = Api(made["key"], made["page_size"], others, made["version"], made["older"])
        self._apis.setdefault(account, {})[name] = api

    def api(self, account: str, name: str) -> Api | None:
        """Returns an API, None where there is none of that name."""
        return self._apis.get(account, {}).get(name)

    def add(self, account: str, name: str, records: Sequence[tuple[str, bool]]) -> None:
        """Adds records to an API that is there: each in Base64, and whether it is healthy."""
        self._apis[account][name].add([(base64.b64decode(payload), healthy) for payload, healthy in records])

    def forget(self, account: str) -> None:
        """Removes the APIs of an account."""
        self._apis.pop(account, None)

    def answer(self, account: str, name: str, key: str, cursor: str, limit: str) -> Answered:
        """Answers who fetches. `served` is to be called once the answer is written."""
        api = self.api(account, name)
        return api.answer(key, cursor, limit) if api else _error(404, "there is no such API")

    def served(self, account: str, name: str, answered: Answered) -> None:
        """Notes that an answer was written whole."""
        if (api := self.api(account, name)) is not None:
            api.served(answered.shown)
