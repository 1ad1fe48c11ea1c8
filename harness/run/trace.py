"""The way of a record through the pipeline, from the journal of a run (harness/inside/journal.py)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote

from harness.documents import MISTYPED, read_json
from harness.errors import UsageError
from harness.faults.carried import last_part
from harness.run.journal import heads
from harness.run.run_dir import FAULTS
from harness.run.writes import writes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.accounting.verdict import Account, Example
    from harness.run.writes import Write

# A function may make a call for each row of a file. Its invocation ends after all of them.
_MAX_HOPS = 200
_MOST_HOPS = 400
# To look for more of them in a large journal would take long.
_WITH_WAY = 10
# A key that is shorter is found everywhere.
_LEAST_KEY = 6


HOW = _IT, _OVERWROTE, _DELETED, _OBJECT, FILE, _ANOTHER = (
    "it", "overwrote", "deleted", "an object with it", "its file", "another event",
)  # fmt: skip
"""How near a hop was to the record. A call may have overwritten or deleted what the last one had stored of it. An invocation with another event made a call that carried
it: what it has fetched is not in its event."""
TAKEN = frozenset({_OVERWROTE, _DELETED})
NEAR = frozenset({_IT, _OBJECT})
# What a key of an index is made of: what stands between is nowhere within one of them.
_TOKEN = re.compile(rb"[\w-]+")
# A sequence number of Kinesis, also within the key of an object.
_SEQUENCE = re.compile(rb"\d{21,}")
# To take a line apart takes as long as to search it for so many texts.
_FEW = 60


@dataclass(frozen=True, slots=True)
class Hop:
    """An invocation or a call that carried the record, an object with it, or its file; or the invocation that made such a call. `entry` is that of the journal, without
    its contents; `faults` met it."""

    entry: Mapping[str, Any]
    how: str
    faults: tuple[str, ...] = ()

    @property
    def log(self) -> str:
        """Returns what the function logged, where it is an invocation."""
        return self.entry.get("log") or ""

    @property
    def request_id(self) -> str:
        return str(self.entry["id"])

    @property
    def invocation(self) -> str:
        """Returns the request id of the invocation that made a call."""
        return self.entry.get("invocation") or ""

    @property
    def went_wrong(self) -> bool:
        """Returns whether it failed, or met a fault."""
        entry = self.entry
        if entry["kind"] == "state":
            # Where a Retry begins another attempt, that one tells how it ended.
            return entry["next"] is not None
        return bool(entry.get("error") or self.faults or (entry["kind"] == "call" and not 200 <= entry["status"] < 400))

    @property
    def was_asked_for(self) -> bool:
        """Returns whether a call was refused as a function may want it: by its condition, or because it asked whether something is there."""
        return not self.faults and (self.entry["status"] == 404 or "ConditionalCheckFailed" in (self.entry["error"] or ""))

    @property
    def then(self) -> str:
        """Returns what a state's Retry or Catch did when it failed; empty where the hop is none of a state."""
        entry = self.entry
        if entry["kind"] != "state":
            return ""
        return "its Retry tried it again" if entry["next"] is None else f"its Catch went on at {entry['next']}"

    @property
    def began_ms(self) -> float:
        """Returns when it began, in milliseconds since the epoch; when it ended where its beginning was not noted."""
        return float(self.entry.get("began_ms") or self.entry["at_ms"] - self.entry.get("took_ms", 0))

    @property
    def text(self) -> str:
        entry, how = self.entry, self.how
        at = f"{datetime.fromtimestamp(self.began_ms / 1000, tz=UTC):%H:%M:%S.%f}"[:-3]
        behind = f", met {', '.join(self.faults)}" if self.faults else ""
        if entry["kind"] == "invocation":
            ended = f"failed with {entry['error']}" if entry["error"] else "succeeded"
            return f"{at} {entry['name']} was invoked with {how} ({entry['id']}) and {ended} after {entry['took_ms']:,} ms{behind}"
        if entry["kind"] == "execution":
            return f"{at} {entry['name']} had {how} in {entry['id']} and ended with {entry['error']}"
        if entry["kind"] == "state":
            return f"{at} {entry['name']} had {how} in {entry['id']}, failed with {entry['error']}, and {self.then}"
        where = f" s3://{entry['put']}" if entry["put"] else ""
        answer = entry["error"] or entry["status"]
        of = f" of {entry['of']}" if entry.get("of") else ""
        what = f"{of}, which {how} what was stored of it" if how in TAKEN else f"{of} with {how}"
        return f"{at} {entry['name']} called {entry['call']}{where}{what}: {answer}{behind}"


@dataclass(slots=True, eq=False)
class _Sought:
    """A record, and what tells that something carried it: its ids, its sequence number, its upload, and the objects that it was put into."""

    ids: Sequence[re.Pattern[str]]
    plain: Sequence[str]
    sequence: str | None
    upload: Sequence[str]
    objects: list[str] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)
    callers: set[str] = field(default_factory=set)
    """The invocations that made calls which carried it."""
    stored: dict[str, str] = field(default_factory=dict)
    """Where the last invocation that stored it did so: places, and what names them in other lines."""
    writer: str = ""

    def stands_in(self, text: str) -> bool:
        """Returns whether a text has the record: its sequence number, or all parts of its id."""
        return bool(self.sequence and self.sequence in text) or (
            all(part in text for part in self.plain) and all(pattern.search(text) for pattern in self.ids)
        )

    def taken_by(self, entry: Mapping[str, Any], written: Sequence[Write]) -> str | None:
        """Notes what a call has stored of the record. Returns how it took away what was stored before, of TAKEN; None where it did not."""
        how = None
        for write in written:
            if write.text is not None and self.stands_in(write.text):
                if entry["invocation"] != self.writer:
                    self.stored, self.writer = {}, entry["invocation"]
                self.stored[write.place] = write.key
            elif self.stored.pop(write.place, None) is not None:
                # What is there now is another's.
                self.objects = [key for key in self.objects if key != write.key]
                if write.text is not None:
                    how = _OVERWROTE
                elif not self.stored and entry["invocation"] != self.writer:
                    # A function may delete what it had put itself, such as a lock.
                    how = how or _DELETED
        return how

    def carried_by(self, entry: Mapping[str, Any], line: str) -> str | None:
        """Returns how an entry carried it, of HOW; None where it did not."""
        if self.stands_in(line):
            if entry.get("put") and str(entry["call"]).endswith(("PutObject", "UploadPart", "CopyObject")):
                key = str(entry["put"]).partition("/")[2]
                if len(key) >= _LEAST_KEY and key not in self.objects:
                    self.objects.append(key)
            return _IT
        if any(key in line for key in self.objects):
            return _OBJECT
        return FILE if self.upload and any(name in line for name in self.upload) else None


def _sought(record_id: str, shard: str | None, sequence: str | None) -> _Sought:
    parts = [part for part in record_id.split("/") if part] or [record_id]
    patterns = [re.compile(rf"(?<![\w-]){re.escape(part)}(?![\w-])") for part in parts]
    _, separator, version = (shard or "").rpartition("@")
    # A stream's sequence number is its own name; the line of a file is a small number, which is found everywhere.
    of_stream = sequence is not None and len(sequence) > 20
    upload = [f"{shard}", version] if separator and not of_stream else []
    if shard and not of_stream and not separator:
        key = unquote(shard)
        # A notification of S3 has the second form.
        names = shard, quote_plus(key, safe="/"), key, quote_plus(key), quote(shard)
        upload = [name for name in dict.fromkeys(names) if len(name) >= _LEAST_KEY]
    return _Sought(patterns, parts, sequence if of_stream else None, upload)


class _Index:
    """Of many records those that a line may carry, without a look at each: a line with a record's id has all tokens of the id."""

    def __init__(self, sought: Sequence[_Sought]) -> None:
        self._by_token: dict[bytes, list[_Sought]] = {}
        # What stands within a longer word, or has parts that stand everywhere: each line is searched for it.
        self._by_text: dict[bytes, list[_Sought]] = {}
        index = self._by_text if len(sought) <= _FEW else self._by_token
        for one in sought:
            tokens = {
                max(_TOKEN.findall(one.plain[-1].encode()), key=len, default=b""),
                *_SEQUENCE.findall((one.sequence or "").encode()),
            }
            for token in tokens:
                index.setdefault(token, []).append(one)
            for text in one.upload if (one.sequence or "").encode() in tokens else (*one.upload, one.sequence):
                if text:
                    self.add(text, one)
        self._has_sequences = any(one.sequence for one in sought)

    def add(self, text: str, one: _Sought) -> None:
        """Has a record found by the name of an object or the key of an item that it was put into."""
        those = self._by_text.setdefault(text.encode(), [])
        if one not in those:
            those.append(one)

    def of(self, line: bytes) -> list[_Sought]:
        """Returns each record that a line may carry, once."""
        found: dict[int, _Sought] = {}
        if self._by_token:
            there = {b"", *_TOKEN.findall(line)}
            if self._has_sequences:
                there.update(_SEQUENCE.findall(line))
            for token in there & self._by_token.keys():
                found.update((id(one), one) for one in self._by_token[token])
        for text, those in self._by_text.items():
            if text in line:
                found.update((id(one), one) for one in those)
        return list(found.values())


def faults_by_request(log: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Returns the ids of the faults that met a call or an invocation, by its request id; `log` is what faults.json has as `fired`."""
    found: dict[str, list[str]] = {}
    for entry in log:
        for request_id in dict.fromkeys(firing.get("request_id") for firing in entry["firings"]):
            if request_id:
                found.setdefault(request_id, []).append(entry["id"])
    return found


def faults_met(run_dir: Path) -> dict[str, list[str]]:
    """Returns the ids of the faults that met each call and invocation of a run, from what it has left; nothing where it has left none."""
    try:
        return faults_by_request(read_json(run_dir / FAULTS, "the faults of a run")["fired"])
    except (UsageError, *MISTYPED):
        return {}


def faults_ended_ms(run_dir: Path) -> float:
    """Returns when the faults of a run ended, in milliseconds since the epoch; infinity where it does not say so."""
    try:
        return float(read_json(run_dir / FAULTS, "the faults of a run")["ended_ms"])
    except (UsageError, *MISTYPED):
        return math.inf


def ways(run_dir: Path, records: Sequence[tuple[str, str | None, str | None]], met: Mapping[str, Sequence[str]]) -> list[list[Hop]]:
    """Returns the hops of each record (its id, shard and sequence) in the order in which they ended. `met` has the faults that met a call or an invocation, by its request id."""
    sought = [_sought(*record) for record in records]
    index = _Index(sought)
    by_caller: dict[str, list[_Sought]] = {}
    for entry, raw in heads(run_dir) if sought else ():
        if entry["kind"] == "init":
            continue
        hop = None
        candidates = index.of(raw)
        line = raw.decode() if candidates else ""
        written = writes(entry, line) if candidates else []
        for one in candidates:
            objects = len(one.objects)
            how = one.taken_by(entry, written) or one.carried_by(entry, line)
            if how is not None and len(one.hops) < (_MAX_HOPS if how == FILE and entry["kind"] == "call" else _MOST_HOPS):
                if hop is None or hop.how != how:
                    hop = Hop(entry, how, tuple(met.get(entry["id"], ())))
                one.hops.append(hop)
                caller = entry.get("invocation") if how != FILE else None
                if caller and caller not in one.callers:
                    one.callers.add(caller)
                    by_caller.setdefault(caller, []).append(one)
            for key in (*one.objects[objects:], *(one.stored.values() if written else ())):
                index.add(key, one)
        # An invocation ends after its calls.
        for one in by_caller.pop(entry["id"], ()) if entry["kind"] == "invocation" else ():
            if not one.hops or one.hops[-1].request_id != entry["id"]:
                one.hops.append(Hop(entry, _ANOTHER, tuple(met.get(entry["id"], ()))))
    # What is served at once is noted in any order.
    return [sorted(one.hops, key=lambda hop: hop.entry["at_ms"]) for one in sought]


def carries(text: str, record: tuple[str, str | None, str | None]) -> bool:
    """Returns whether a text has a record (its id, shard and sequence)."""
    return _sought(*record).stands_in(text)


def names_file(text: str, record: tuple[str, str | None, str | None]) -> bool:
    """Returns whether a text names the file of a record (its id, shard and sequence)."""
    return any(re.search(rf"(?<![\w.%+-]){re.escape(name)}(?![\w.%+-])", text) for name in _sought(*record).upload)


def with_ways(account: Account, run_dir: Path, met: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> Account:
    """Returns the account in which the first examples of each anomaly have their hops. `names` maps the names that the deployment has made
    to those of the template. A phantom gets no hops, because the load did not offer it."""
    first = [e for name, found in account.examples.items() if name != "phantom" for e in found[:_WITH_WAY]]
    found = ways(run_dir, [(e.record_id, e.shard, e.sequence) for e in first], met)
    made = {id(example): _with_way(example, hops, names) for example, hops in zip(first, found, strict=True)}
    examples = {name: tuple(made.get(id(example), example) for example in of) for name, of in account.examples.items()}
    if "lost" in examples:
        from harness.parts.probes.anywhere import standing  # noqa: PLC0415 - it reads Parquet, and most runs lose nothing

        places = standing(run_dir)
        examples["lost"] = tuple(_with_places(example, places.get(example.record_id, ()), names) for example in examples["lost"])
    return replace(account, examples=examples)


def _with_places(example: Example, places: Sequence[str], names: Mapping[str, str]) -> Example:
    """Returns an example with the places where it stands, though that is not enough."""
    if not places:
        return example
    return replace(
        example, why=f"accepted, and not in each place that holds every record; it stands at {renamed(', '.join(places), names)}"
    )


def as_they_began(hops: Sequence[Hop]) -> list[Hop]:
    """Returns the hops in the order in which they began: an invocation stands before the calls that it made."""
    return sorted(hops, key=lambda hop: hop.began_ms)


def decisive(hops: Sequence[Hop]) -> tuple[Hop, str]:
    """Returns the last hop that carried the record itself (or else an object with it, or its file), and what the function logged then. Where that is an invocation that
    succeeded, and a call of it with the record failed for good, the call says more. What took away what was stored of it says most, unless it was stored again."""
    taken = next((place for place in reversed(range(len(hops))) if hops[place].how in TAKEN), None)
    if taken is not None and not any(
        hop.how == _IT and hop.entry["kind"] == "call" and not hop.went_wrong for hop in hops[taken + 1 :]
    ):
        return hops[taken], _log_of(hops[taken], hops)
    nearest = min((hop.how for hop in hops), key=HOW.index)
    of_it = [hop for hop in hops if hop.how == nearest]
    last = of_it[-1]
    if last.entry["kind"] == "invocation" and not last.entry["error"]:
        latest: dict[tuple[str, str], Hop] = {}
        for hop in of_it:
            if hop.entry["kind"] == "call" and hop.invocation == last.request_id:
                key = hop.entry["call"], hop.entry["put"] or ""
                latest.pop(key, None)
                latest[key] = hop
        last = next((hop for hop in reversed(latest.values()) if hop.went_wrong and not hop.was_asked_for), last)
    return last, _log_of(last, hops)


def _log_of(last: Hop, hops: Sequence[Hop]) -> str:
    if last.entry["kind"] in {"execution", "state"}:
        # The function that failed there has the log.
        earlier = hops[: hops.index(last)]
        return next((hop.log for hop in reversed(earlier) if hop.entry["kind"] == "invocation" and hop.went_wrong), "")
    # A call is within an invocation, which ends later, and has the log.
    return last.log or next((hop.log for hop in hops if hop.request_id == last.invocation), "")


def _with_way(example: Example, hops: Sequence[Hop], names: Mapping[str, str]) -> Example:
    if not hops:
        return example
    last, log = decisive(hops)
    return replace(
        example, hops=tuple(renamed(hop.text, names) for hop in as_they_began(hops)), last=renamed(last.text, names), log=log
    )


def logical(physical: Mapping[str, str | None]) -> dict[str, str]:
    """Returns the logical ids of a stack's resources by their physical ones, and where these are ARNs or URLs by their last part too. `physical` is the reverse."""
    made = {one: name for name, one in physical.items() if one}
    return {part: name for one, name in made.items() if len(part := last_part(one)) >= _LEAST_KEY and part != one} | made


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Returns the text with the names of the template in place of those that the deployment has made."""
    if not names:
        return text
    # A name may be a part of another word: that of a stage is Prod.
    longest_first = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<![\w-])(?:{longest_first})(?![\w-])", lambda match: names[match[0]], text)
