"""From what a run has met to what its replay is to meet: the n-th call of a run is another one in the next, the call that carries a
record is the same.

All of it is read from the journal of the run (harness/inside/journal.py) and from its log of faults."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.faults.carried import holds, names, text_of_event, with_plain
from harness.faults.plan import LOCALSTACK, LambdaFault, RecordFault, ServiceFault, SettingFault

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
# More events than a run has.
_NO_END = 10**9
# The fields of an event stand at its beginning; what follows in a longer one are records.
_FIELDS_IN = 100_000
_WORD = re.compile(r"[\w-]+")
# A field of a JSON document, or of one that is a text in another.
_FIELD = re.compile(r'\\?"[A-Za-z_][\w-]{0,40}\\?": ?(?:\\?"[^"\\]{1,120}\\?"|-?\d{1,9}(?:\.\d{1,6})?|true|false)(?=[,}\]\s\\])')
_WORDS = re.compile(r"[A-Za-z0-9_+/=-]+")
_CLOCK = re.compile(r"\d\d:\d\d")
_LONG_NUMBER = re.compile(r"\d{4,}")


class Records:
    """The ids of a load, to be found in texts. An id with slashes is one of several parts, such as a file and a row: all of them are sought."""

    def __init__(self, ids: Iterable[str]) -> None:
        found = dict.fromkeys(tuple(part for part in record_id.split("/") if part) for record_id in ids)
        long_enough = [parts for parts in found if any(len(part) >= _LEAST_ID for part in parts)]
        often = Counter(word for parts in long_enough for part in parts for word in set(_WORD.findall(part)))
        self._by_word: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for parts in long_enough:
            words = {word for part in parts for word in _WORD.findall(part)}
            if words:
                # The word that the fewest ids have, and of those the longest.
                self._by_word[min(words, key=lambda word: (often[word], -len(word)))].append(parts)

    def first_in(self, text: str) -> tuple[str, ...]:
        """Returns the parts of the id that comes first in the text; none where there is none."""
        for word in dict.fromkeys(_WORD.findall(text)):
            for parts in self._by_word.get(word, ()):
                if holds(text, parts):
                    return parts
        return ()

    def is_one(self, word: str) -> bool:
        """Returns whether an id is found by this word."""
        return word in self._by_word


def _tells(field_text: str, records: Records) -> bool:
    """Returns whether a field may stand in the next run too: its value looks neither drawn at random nor like a time."""
    value = field_text.partition(":")[2]
    return all(
        records.is_one(word)
        or not (
            _LONG_NUMBER.search(word)
            or _CLOCK.search(value)
            or (len(word) >= 8 and any(c.isdigit() for c in word) and any(c.isalpha() for c in word))
        )
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
    matched: list[tuple[float, str]] = field(default_factory=list)

    @property
    def carrying(self) -> tuple[str, ...]:
        """Returns all that must stand in the request of the call, or in the event of the invocation."""
        return (*getattr(self.fault, "carrying", ()), *(() if self.during else self.texts))

    @property
    def within(self) -> tuple[str, ...]:
        """Returns all that must stand in the event of the invocation that makes the call."""
        return (*getattr(self.fault, "during", ()), *(self.texts if self.during else ()))


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
    log = list(log)
    seen = {entry["id"]: int(entry["seen"] or 0) for entry in log}
    firings = {
        entry["id"]: [_firing(by_id[entry["id"]], firing) for firing in entry["firings"]]
        for entry in log
        if entry["id"] in by_id and 0 < len(entry["firings"]) <= _MAX_FIRINGS
    }
    every = [firing for of_fault in firings.values() for firing in of_fault]
    if every:
        _find_texts(every, entries, records)
        _count(every, entries)
    return tuple(one for fault in plan for one in _rewritten(fault, firings.get(fault.id, []), seen.get(fault.id, 0)))


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
            firing.texts = records.first_in(with_plain(entry["carried"]))
    without = [firing for firing in firings if not firing.texts]
    for firing in without:
        firing.during = isinstance(firing.fault, ServiceFault)
        firing.invocation = firing.invocation if firing.during else firing.request_id
    events, functions = _events(entries, {firing.invocation for firing in without}, records)
    for firing in without:
        if firing.invocation in events:
            name, found, fields = events[firing.invocation]
            firing.texts = found or _telling(fields, functions[name])


def _events(
    entries: Entries, wanted: set[str], records: Records
) -> tuple[dict[str, tuple[str, tuple[str, ...], list[str]]], dict[str, _Address]]:
    """Returns the function, the first record and the fields of each invocation that is wanted, and the fields of the events of all functions."""
    events: dict[str, tuple[str, tuple[str, ...], list[str]]] = {}
    functions: dict[str, _Address] = defaultdict(_Address)
    for entry in entries():
        if entry["kind"] == "invocation":
            text = text_of_event(entry["carried"])
            fields = _fields(text, records)
            functions[entry["name"]].add(fields)
            if entry["id"] in wanted:
                events[entry["id"]] = (entry["name"], records.first_in(text), fields)
    return events, functions


def _fields(text: str, records: Records) -> list[str]:
    """Returns the fields of an event that may stand in the next run too, each once."""
    return [one for one in dict.fromkeys(_FIELD.findall(text[:_FIELDS_IN])) if _tells(one, records)]


def _telling(fields: Sequence[str], address: _Address) -> tuple[str, ...]:
    """Returns the fields of an event that not all events of its function have, the rarest first."""
    telling = [one for one in fields if address.fields[one] < address.events]
    return tuple(sorted(telling, key=lambda one: address.fields[one])[:_MAX_TEXTS])


def _count(firings: Sequence[_Firing], entries: Entries) -> None:
    """Finds the how-manieth event each firing's is, of those with its texts at its fault's address, in the order in which they began."""
    told = [firing for firing in firings if firing.texts]
    within = _invocations(told, entries)
    by_fault: dict[str, list[_Firing]] = defaultdict(list)
    for firing in told:
        by_fault[firing.fault.id].append(firing)
    of_faults = [(of_it[0].fault, _Sought(of_it, lambda firing: firing.carrying)) for of_it in by_fault.values()]
    for entry in entries():
        text: str | None = None
        for fault, sought in of_faults:
            if not _is_at(entry, fault):
                continue
            if text is None:
                text = text_of_event(entry["carried"]) if entry["kind"] != "call" else with_plain(entry["carried"])
            for firing in sought.found_in(text):
                if not firing.within or entry["invocation"] in within[id(firing)]:
                    firing.matched.append((entry.get("began_ms", entry["at_ms"]), entry["id"]))
    for firing in told:
        _settle(firing)


def _invocations(firings: Sequence[_Firing], entries: Entries) -> dict[int, set[str]]:
    """Returns, by the identity of each firing, the request ids of the invocations in which its call must be made."""
    found = {id(firing): set[str]() for firing in firings}
    inner = [firing for firing in firings if firing.within]
    sought = _Sought(inner, lambda firing: firing.within)
    for entry in entries() if inner else ():
        if entry["kind"] == "invocation":
            for firing in sought.found_in(text_of_event(entry["carried"])):
                found[id(firing)].add(entry["id"])
    return found


def _settle(firing: _Firing) -> None:
    """Finds the number of the firing's own event among those that match. An asynchronous invocation that is tried again keeps its request id:
    the last that began before the fault met it is meant."""
    own = [began for began, request_id in firing.matched if request_id == firing.request_id and began <= firing.at_ms + 1]
    if own:
        firing.nth = sum(began <= max(own) for began, _ in firing.matched)
    else:
        firing.texts = ()


class _Sought:
    """Firings, to be found by their texts."""

    def __init__(self, firings: Sequence[_Firing], texts: Callable[[_Firing], tuple[str, ...]]) -> None:
        self._texts = texts
        # By one of their words: a text may begin or end with none.
        self._by_word: dict[str, list[_Firing]] = defaultdict(list)
        for firing in firings:
            words = [word for text in texts(firing) for word in _WORD.findall(text)]
            self._by_word[max(words, key=len, default="")].append(firing)

    def found_in(self, text: str) -> Iterator[_Firing]:
        """Yields the firings of which all texts stand in this one, and those without any."""
        words = set(_WORD.findall(text))
        for word, firings in self._by_word.items():
            if not word or word in words:
                yield from (firing for firing in firings if holds(text, self._texts(firing)))


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


def _rewritten(fault: Fault, firings: Sequence[_Firing], seen: int) -> Iterator[Fault]:
    """Yields a fault per event; one without an end for the last events of a record, where the fault would have met more of them: how often
    a record is tried again may differ by one in the next run."""
    if not firings or isinstance(fault, RecordFault | SettingFault):
        yield fault
        return
    if not any(firing.texts for firing in firings):
        # By number, but only the events that it has met: another fault may have taken some.
        numbers = ", ".join(str(firing.number) for firing in firings)
        yield fault.model_copy(update={_window_of(fault): numbers})
        return
    endless = _endless(firings) if fault.window.goes_on_after(seen) else {}
    for place, firing in enumerate(firings, 1):
        begins = endless.get(_texts_of(firing))
        if begins is not None and firing.nth > begins:
            continue
        numbers = f"{begins}-{_NO_END}" if firing.nth == begins else str(firing.nth)
        changes: dict[str, Any] = {
            "id": fault.id if fault.of else f"{fault.id}/{place}",
            "of": fault.whole,
            _window_of(fault): numbers if firing.texts else str(firing.number),
        }
        if firing.texts:
            # A replay of a replay adds nothing to what is known.
            changes["carrying"] = tuple(dict.fromkeys(firing.carrying))
            if isinstance(fault, ServiceFault):
                changes |= {"after": None, "repeats": None}
                changes["during"] = tuple(dict.fromkeys(firing.within))
        if isinstance(fault, ServiceFault):
            changes["until_success"] = False
            if firing.entries:
                changes["entries"] = ", ".join(map(str, firing.entries))
        yield fault.model_copy(update=changes)


def _endless(firings: Sequence[_Firing]) -> dict[tuple[tuple[str, ...], ...], int]:
    """Returns, by the texts of firings, from which number on they are all events with these texts; without those of which the last one passed."""
    numbers: dict[tuple[tuple[str, ...], ...], set[int]] = defaultdict(set)
    events: dict[tuple[tuple[str, ...], ...], int] = {}
    for firing in firings:
        if firing.texts and not firing.entries:
            numbers[_texts_of(firing)].add(firing.nth)
            events[_texts_of(firing)] = len(firing.matched)
    passed = {texts: max(set(range(1, events[texts] + 1)) - met, default=0) for texts, met in numbers.items()}
    return {texts: last + 1 for texts, last in passed.items() if last < events[texts]}


def _texts_of(firing: _Firing) -> tuple[tuple[str, ...], ...]:
    return firing.carrying, firing.within


def _window_of(fault: Fault) -> str:
    return "invocations" if isinstance(fault, LambdaFault) else "calls"
