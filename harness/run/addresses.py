"""From what a run has met to what its replay is to meet: the n-th call of a run is another one in the next, the call that carries a
record is the same.

All of it is read from the journal of the run (harness/inside/journal.py) and from its log of faults."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.faults.carried import digest, holds, names, text_of_event
from harness.faults.plan import LOCALSTACK, LambdaFault, RecordFault, ServiceFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from harness.faults.plan import Fault, Plan

    Entry = Mapping[str, Any]
    Entries = Callable[[], Iterable[Entry]]

# A fault that has met more is addressed as it was: its events are nearly all there are.
_MAX_FIRINGS = 5_000
# A shorter id is found in any text.
_LEAST_ID = 4
_MAX_TEXTS = 6
# The fields of an event stand at its beginning; what follows in a longer one are records.
_FIELDS_IN = 100_000
_WORD = re.compile(r"[\w-]+")
# A field of a JSON document, or of one that is a text in another.
_FIELD = re.compile(r'\\?"[A-Za-z_][\w-]{0,40}\\?": ?(?:\\?"[^"\\]{1,120}\\?"|-?\d{1,9}(?:\.\d{1,6})?|true|false)(?=[,}\]\s\\])')
_WORDS = re.compile(r"[A-Za-z0-9_+/=-]+")
_LONG_NUMBER = re.compile(r"\d{4,}")


class Records:
    """The ids of a load, to be found in texts. An id with slashes is one of several parts, such as a file and a row."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._by_word: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for record_id in ids:
            parts = tuple(part for part in record_id.split("/") if len(part) >= _LEAST_ID)
            words = _WORD.findall(parts[-1]) if parts else []
            if words:
                self._by_word[max(words, key=len)].append(parts)

    def first_in(self, text: str) -> tuple[str, ...]:
        """Returns the parts of the id that comes first in the text; none where there is none."""
        for word in _WORD.finditer(text):
            for parts in self._by_word.get(word[0], ()):
                if holds(text, parts):
                    return parts
        return ()

    def is_one(self, word: str) -> bool:
        return word in self._by_word


def _tells(field_text: str, records: Records) -> bool:
    """Returns whether a field may stand in the next run too: its value looks neither drawn at random nor like a time."""
    value = field_text.partition(":")[2]
    return all(
        records.is_one(word)
        or not (_LONG_NUMBER.search(word) or (len(word) >= 8 and any(c.isdigit() for c in word) and any(c.isalpha() for c in word)))
        for word in _WORDS.findall(value)
    )


@dataclass(slots=True)
class _Firing:
    """One event that a fault has met; `texts` are what its replay is to look for, in the request or in the event (`during`: of the
    invocation), and `nth` which of these events it was."""

    fault: Fault
    number: int
    request_id: str
    at_ms: int
    entries: Sequence[int] | None
    texts: tuple[str, ...] = ()
    during: bool = False
    invocation: str = ""
    nth: int = 0


@dataclass(slots=True)
class _Address:
    """The events of a function: how many there are, and in how many of them each field stands."""

    events: int = 0
    fields: Counter[str] = field(default_factory=Counter)

    def add(self, fields: Iterable[str]) -> None:
        self.events += 1
        self.fields.update(fields)


def by_content(plan: Plan, log: Iterable[Mapping[str, Any]], entries: Entries, records: Records) -> Plan:
    """Returns a plan with a fault for each event that a fault of `plan` has met, addressed by what that event carried.

    `plan` has physical names. `log` is what faults.json has as `fired`, `entries` reads the journal from its beginning. Faults stay as
    they are that met nothing, or what carries nothing by which it can be told from the others."""
    by_id = {fault.id: fault for fault in plan}
    firings = {
        entry["id"]: [_firing(by_id[entry["id"]], firing) for firing in entry["firings"]]
        for entry in log
        if entry["id"] in by_id and 0 < len(entry["firings"]) <= _MAX_FIRINGS
    }
    every = [firing for of_fault in firings.values() for firing in of_fault]
    if every:
        _find_texts(every, entries, records)
        _count(every, entries)
    return tuple(one for fault in plan for one in _rewritten(fault, firings.get(fault.id, [])))


def _firing(fault: Fault, firing: Mapping[str, Any]) -> _Firing:
    return _Firing(fault, firing["event"], firing.get("request_id", ""), firing["at_ms"], firing.get("entries"))


def _find_texts(firings: Sequence[_Firing], entries: Entries, records: Records) -> None:
    """Finds what each firing's event carried: the first of its records, else the fields in which it differs from the others."""
    calls: dict[str, list[_Firing]] = defaultdict(list)
    for firing in firings:
        if isinstance(firing.fault, ServiceFault):
            calls[firing.request_id].append(firing)
    for entry in entries():
        for firing in calls.get(entry["id"], ()) if entry["kind"] == "call" else ():
            firing.invocation = entry["invocation"]
            firing.texts = records.first_in(entry["carried"])
    without = [firing for firing in firings if not firing.texts]
    for firing in without:
        firing.during = isinstance(firing.fault, ServiceFault)
        firing.invocation = firing.invocation if firing.during else firing.request_id
    events, functions = _events(entries, {firing.invocation for firing in without}, records)
    for firing in without:
        if firing.invocation in events:
            name, text = events[firing.invocation]
            firing.texts = records.first_in(text) or _telling(text, functions[name], records)


def _events(entries: Entries, wanted: set[str], records: Records) -> tuple[dict[str, tuple[str, str]], dict[str, _Address]]:
    """Returns the function and the event of each invocation that is wanted, and the fields of the events of all functions."""
    events: dict[str, tuple[str, str]] = {}
    functions: dict[str, _Address] = defaultdict(_Address)
    for entry in entries():
        if entry["kind"] == "invocation":
            text = text_of_event(entry["carried"])
            functions[entry["name"]].add(_fields(text, records))
            if entry["id"] in wanted:
                events[entry["id"]] = (entry["name"], text)
    return events, functions


def _fields(text: str, records: Records) -> list[str]:
    """Returns the fields of an event that may stand in the next run too, each once."""
    return [one for one in dict.fromkeys(_FIELD.findall(text[:_FIELDS_IN])) if _tells(one, records)]


def _telling(text: str, address: _Address, records: Records) -> tuple[str, ...]:
    """Returns the fields of an event that not all events of its function have, the rarest first."""
    telling = [one for one in _fields(text, records) if address.fields[one] < address.events]
    return tuple(sorted(telling, key=lambda one: address.fields[one])[:_MAX_TEXTS])


def _count(firings: Sequence[_Firing], entries: Entries) -> None:
    """Finds the how-manieth event each firing's is, of those with its texts at its fault's address."""
    told = [firing for firing in firings if firing.texts]
    during = _invocations_with([firing for firing in told if firing.during], entries)
    left: dict[str, list[_Firing]] = defaultdict(list)
    for firing in told:
        left[firing.fault.id].append(firing)
    for entry in entries():
        text = _Text(entry)
        for of_fault in left.values():
            if not of_fault or not _is_at(entry, of_fault[0].fault):
                continue
            for firing in tuple(of_fault):
                if entry["invocation"] in during[id(firing)] if firing.during else text.holds(firing.texts):
                    firing.nth += 1
                    # An invocation that is tried again has the request id of the first time; an entry is as late as its end.
                    if entry["id"] == firing.request_id and entry["at_ms"] >= firing.at_ms:
                        of_fault.remove(firing)
    for of_fault in left.values():
        for firing in of_fault:
            firing.texts = ()


def _invocations_with(firings: Sequence[_Firing], entries: Entries) -> dict[int, set[str]]:
    """Returns, by the identity of each firing, the request ids of the invocations whose events have its texts."""
    found = {id(firing): set[str]() for firing in firings}
    for entry in entries() if firings else ():
        if entry["kind"] == "invocation":
            text = _Text(entry)
            for firing in firings:
                if text.holds(firing.texts):
                    found[id(firing)].add(entry["id"])
    return found


class _Text:
    """What an entry carried, decoded when it is needed."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._text: str | None = None

    def holds(self, texts: Sequence[str]) -> bool:
        if self._text is None:
            carried = self._entry["carried"]
            self._text = carried if self._entry["kind"] == "call" else text_of_event(carried)
        return holds(self._text, texts)


def _is_at(entry: Entry, fault: Fault) -> bool:
    """Returns whether an entry is an event of the fault's address, without what it carries."""
    if isinstance(fault, LambdaFault):
        throttled = entry.get("error") == "TooManyRequestsException"
        return (
            entry["kind"] == ("init" if fault.kind == "lambda_init" else "invocation")
            and entry["name"] == fault.function
            # A throttled invocation has not reached the function.
            and (not throttled or fault.kind == "lambda_throttled")
        )
    if not isinstance(fault, ServiceFault) or entry["kind"] != "call":
        return False
    service, _, operation = entry["call"].partition(".")
    caller = LOCALSTACK if entry["name"] == "a state machine" else entry["name"]
    return (
        fault.service == service
        and fault.operation in {None, operation}
        and fault.caller in {None, caller}
        and (fault.resource is None or names(json.loads(entry["carried"]), fault.resource))
    )


def _rewritten(fault: Fault, firings: Sequence[_Firing]) -> Iterator[Fault]:
    if not firings or isinstance(fault, RecordFault):
        yield fault
        return
    if not any(firing.texts for firing in firings):
        # By number, but only the events that it has met: another fault may have taken some.
        numbers = ", ".join(str(firing.number) for firing in firings)
        yield fault.model_copy(update={_window_of(fault): numbers})
        return
    for place, firing in enumerate(firings, 1):
        changes: dict[str, Any] = {
            "id": f"{fault.id}/{place}",
            "of": fault.whole,
            _window_of(fault): str(firing.nth if firing.texts else firing.number),
        }
        if firing.texts:
            changes["during" if firing.during else "carrying"] = (
                *(getattr(fault, "during" if firing.during else "carrying")),
                *firing.texts,
            )
        if isinstance(fault, ServiceFault):
            changes["until_success"] = False
            if firing.entries:
                changes["entries"] = ", ".join(map(str, firing.entries))
        yield fault.model_copy(update=changes)


def _window_of(fault: Fault) -> str:
    return "invocations" if isinstance(fault, LambdaFault) else "calls"


def batches(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Returns the batches that mappings took from streams, for harness/inside/kinesis/script.py: {stream, shard, function, batches}, with
    the digests of the records of each batch. What was delivered again, whole or in parts, is one batch."""
    last: dict[tuple[str, str, str], int] = {}
    found: dict[tuple[str, str, str], list[list[str]]] = {}
    for entry in entries:
        if entry["kind"] != "invocation" or '"aws:kinesis"' not in entry["carried"]:
            continue
        try:
            records = [
                (one["eventSourceARN"].rpartition("/")[2], *one["eventID"].split(":"), one["kinesis"]["data"])
                for one in json.loads(entry["carried"])["Records"]
            ]
        except (ValueError, KeyError, TypeError):
            continue
        new: list[str] = []
        for stream, shard, sequence, data in records:
            key = (stream, shard, entry["name"])
            if int(sequence) > last.get(key, -1):
                last[key] = int(sequence)
                if not new:
                    found.setdefault(key, []).append(new)
                new.append(digest(base64.b64decode(data)))
    return [
        {"stream": stream, "shard": shard, "function": function, "batches": of_it}
        for (stream, shard, function), of_it in found.items()
    ]
