"""The way of a record through the pipeline, from the journal of a run (harness/inside/journal.py)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.accounting.verdict import Account, Example

JOURNAL = "journal.ndjson.zst"
_MAX_HOPS = 200
_LONGEST_ENTRY = 64 << 20
# To look for more of them in a large journal would take long.
_WITH_WAY = 10
# A key that is shorter is found everywhere.
_LEAST_KEY = 6


_HOW = _IT, _OBJECT, _FILE = ("it", "an object with it", "its file")


@dataclass(frozen=True, slots=True)
class Hop:
    """An invocation or a call that carried the record, an object with it, or its file. `log` is what the function logged, where it is an
    invocation; `invocation` the one that made a call."""

    text: str
    how: str
    log: str = ""
    request_id: str = ""
    invocation: str = ""


@dataclass(slots=True)
class _Sought:
    """A record, and what tells that something carried it: its ids, its sequence number, its upload, and the objects that it was put into."""

    ids: Sequence[re.Pattern[str]]
    plain: Sequence[str]
    sequence: str | None
    upload: Sequence[str]
    objects: list[str] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)

    def carried_by(self, entry: Mapping[str, Any], line: str) -> str | None:
        """Returns how an entry carried it, of _HOW; None where it did not."""
        if (self.sequence and self.sequence in line) or (
            all(text in line for text in self.plain) and all(pattern.search(line) for pattern in self.ids)
        ):
            if entry.get("put") and str(entry["call"]).endswith(("PutObject", "UploadPart", "CopyObject")):
                key = str(entry["put"]).partition("/")[2]
                if len(key) >= _LEAST_KEY and key not in self.objects:
                    self.objects.append(key)
            return _IT
        if any(key in line for key in self.objects):
            return _OBJECT
        return _FILE if self.upload and any(name in line for name in self.upload) else None


def _sought(record_id: str, shard: str | None, sequence: str | None) -> _Sought:
    parts = [part for part in record_id.split("/") if part] or [record_id]
    patterns = [re.compile(rf"(?<![\w-]){re.escape(part)}(?![\w-])") for part in parts]
    _, separator, version = (shard or "").rpartition("@")
    # A stream's sequence number is its own name; the line of a file is a small number, which is found everywhere.
    of_stream = sequence is not None and len(sequence) > 20
    upload = [f"{shard}", version] if separator and not of_stream else []
    if shard and not of_stream and not separator:
        upload = [name for name in (shard, unquote(shard), quote_plus(unquote(shard)), quote(shard)) if len(name) >= _LEAST_KEY]
    return _Sought(patterns, parts, sequence if of_stream else None, upload)


def entries(run_dir: Path, wanted: Callable[[bytes], bool] = lambda _: True) -> Iterator[tuple[dict[str, Any], str]]:
    """Yields each entry of a run's journal whose line is wanted, with it; nothing where the run has none."""
    path = run_dir / JOURNAL
    if not path.is_file():
        return
    rest = b""
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as file:
        while part := file.read(1 << 20):
            *lines, rest = (rest + part).split(b"\n")
            if len(rest) > _LONGEST_ENTRY:
                raise ValueError(f"{path.name} has an entry of more than {_LONGEST_ENTRY:,} bytes")
            for line in filter(wanted, lines):
                yield json.loads(line), line.decode()


def faults_by_request(log: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Returns the ids of the faults that met a call or an invocation, by its request id; `log` is what faults.json has as `fired`."""
    found: dict[str, list[str]] = {}
    for entry in log:
        for request_id in dict.fromkeys(firing.get("request_id") for firing in entry["firings"]):
            if request_id:
                found.setdefault(request_id, []).append(entry["id"])
    return found


def ways(run_dir: Path, records: Sequence[tuple[str, str | None, str | None]], met: Mapping[str, Sequence[str]]) -> list[list[Hop]]:
    """Returns the hops of each record (its id, shard and sequence). `met` has the faults that met a call or an invocation, by its request id."""
    sought = [_sought(*record) for record in records]
    for entry, line in entries(run_dir) if sought else ():
        if entry["kind"] == "init":
            continue
        # The names in the entry are found in its parts: an id in an error message carries nothing.
        for one in sought:
            if len(one.hops) < _MAX_HOPS and (how := one.carried_by(entry, line)) is not None:
                one.hops.append(
                    Hop(_told(entry, how, met), how, entry.get("log") or "", entry["id"], entry.get("invocation") or "")
                )
    return [one.hops for one in sought]


def _told(entry: Mapping[str, Any], how: str, met: Mapping[str, Sequence[str]]) -> str:
    at = f"{datetime.fromtimestamp(entry['at_ms'] / 1000, tz=UTC):%H:%M:%S.%f}"[:-3]
    faults = met.get(entry["id"], ())
    behind = f", met {', '.join(faults)}" if faults else ""
    if entry["kind"] == "invocation":
        ended = f"failed with {entry['error']}" if entry["error"] else "succeeded"
        return f"{at} {entry['name']} was invoked with {how} ({entry['id']}) and {ended} after {entry['took_ms']:,} ms{behind}"
    if entry["kind"] == "execution":
        return f"{at} {entry['name']} had {how} in {entry['id']} and ended with {entry['error']}"
    where = f" s3://{entry['put']}" if entry["put"] else ""
    answer = entry["error"] or entry["status"]
    return f"{at} {entry['name']} called {entry['call']}{where} with {how}: {answer}{behind}"


def with_ways(account: Account, run_dir: Path, met: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> Account:
    """Returns the account in which the first examples of each anomaly have their hops. `names` maps the names that the deployment has made
    to those of the template. A phantom gets no hops, because the load did not offer it."""
    first = [e for name, found in account.examples.items() if name != "phantom" for e in found[:_WITH_WAY]]
    found = ways(run_dir, [(e.record_id, e.shard, e.sequence) for e in first], met)
    made = {id(example): _with_way(example, hops, names) for example, hops in zip(first, found, strict=True)}
    examples = {name: tuple(made.get(id(example), example) for example in of) for name, of in account.examples.items()}
    return replace(account, examples=examples)


def _with_way(example: Example, hops: Sequence[Hop], names: Mapping[str, str]) -> Example:
    if not hops:
        return example
    nearest = min((hop.how for hop in hops), key=_HOW.index)
    last = next(hop for hop in reversed(hops) if hop.how == nearest)
    # A call is within an invocation, which ends later, and has the log.
    log = last.log or next((hop.log for hop in hops if hop.request_id == last.invocation), "")
    return replace(example, hops=tuple(renamed(hop.text, names) for hop in hops), last=renamed(last.text, names), log=log)


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Returns the text with the names of the template in place of those that the deployment has made."""
    if not names:
        return text
    # A name may be a part of another word: that of a stage is Prod.
    longest_first = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<![\w-])(?:{longest_first})(?![\w-])", lambda match: names[match[0]], text)
