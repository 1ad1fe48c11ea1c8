"""Which records of a load a text names, and which ones' bytes it holds."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.accounting.record import payload_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}")
_ALSO_PUT = ("lookup.parquet", "setup.parquet")
_DEEPEST = 4


class Mentions:
    """The records of a run's load, and how they are found in a text."""

    def __init__(self, run_dir: Path) -> None:
        table = pq.read_table(run_dir / "ledger.parquet", columns=["record_id", "promised", "put_at", "file_hash", "payload_hash"])
        self._ids = {record_id.lower(): record_id for record_id in table["record_id"].to_pylist()}
        self.healthy = frozenset(table.filter(pc.is_valid(table["promised"]))["record_id"].to_pylist())
        self._put = set(table["put_at"].drop_null().unique().to_pylist())
        for name in _ALSO_PUT:
            if (run_dir / name).is_file():
                self._put.update(pq.read_table(run_dir / name)["put_at"].to_pylist())
        self._files = set(table["file_hash"].drop_null().unique().to_pylist())
        hashes = table["payload_hash"].to_pylist()
        many = Counter(hashes)
        # Which of several records with the same bytes it is nothing tells.
        self._by_bytes = {
            one: record_id for one, record_id in zip(hashes, table["record_id"].to_pylist(), strict=True) if many[one] == 1
        }
        self._words, self._shape, self._shortest = patterns(self._ids)

    def has_put(self, place: str, body: bytes | None = None) -> bool:
        """Returns whether the load itself has put this here, or a file that is one of the load's, byte for byte: a copy of it proves nothing about its records."""
        return place in self._put or (body is not None and payload_hash(body) in self._files)

    def named(self, content: bytes) -> set[str]:
        """Returns the ids that stand in a text, in upper or lower case, or in what it has in base64."""
        texts = [content, *(decoded for found in _BASE64.findall(content) if (decoded := _decoded(found)) is not None)]
        return {record_id for text in texts for record_id in self._in(text.decode("utf-8", "replace").lower())}

    def kept_in(self, content: bytes) -> set[str]:
        """Returns the ids of the records whose bytes stand in a text; of a load of files, whose rows another form of them stands for, the ids that it names."""
        if self._files:
            return self.named(content)
        return {self._by_bytes[one] for text in _parts(content, 0) if (one := payload_hash(text)) in self._by_bytes}

    def _in(self, text: str) -> Iterator[str]:
        seen = False
        for word in self._words.findall(text):
            if word in self._ids:
                seen = True
                yield self._ids[word]
        if seen:
            return
        # An id that other characters of its kind stand around: tried at each place, and in each of its lengths.
        for found in self._shape.finditer(text):
            for length in range(len(found[1]), self._shortest - 1, -1):
                if found[1][:length] in self._ids:
                    yield self._ids[found[1][:length]]


def _parts(content: bytes, depth: int) -> Iterator[bytes]:
    """Yields what may be a record's bytes: the text, its lines, and in JSON each text, what that has in base64, and each object in the forms that are usual."""
    yield content
    lines = content.splitlines() if depth == 0 else ()
    for text in (content, *lines):
        if lines:
            yield text
        if depth < _DEEPEST and text[:1] in {b"{", b"[", b'"'}:
            try:
                document = json.loads(text)
            except ValueError:
                continue
            yield from _of_json(document, depth + 1)


def _of_json(value: Any, depth: int) -> Iterator[bytes]:
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        yield from _parts(text, depth)
        if _BASE64.fullmatch(text) and (decoded := _decoded(text)) is not None:
            yield from _parts(decoded, depth)
    elif isinstance(value, dict):
        for separators in ((", ", ": "), (",", ":")):
            for ascii_alone in (True, False):
                yield json.dumps(value, separators=separators, ensure_ascii=ascii_alone).encode("utf-8", "surrogatepass")
        for inner in value.values():
            yield from _of_json(inner, depth)
    elif isinstance(value, list):
        for inner in value:
            yield from _of_json(inner, depth)


def patterns(ids: Mapping[str, str]) -> tuple[re.Pattern[str], re.Pattern[str], int]:
    """Returns a pattern of the words that ids consist of, one that finds overlapping texts of their form, and the length of the shortest id."""
    characters: dict[str, None] = dict.fromkeys(sorted(set().union(*map(set, ids)))) or {"\0": None}
    some = "[" + "".join(map(re.escape, characters)) + "]"
    lengths = sorted({len(one) for one in ids} - {0}) or [1]
    return re.compile(f"{some}+"), re.compile(f"(?=({some}{{{lengths[0]},{lengths[-1]}}}))"), lengths[0]


def _decoded(word: bytes) -> bytes | None:
    try:
        return base64.b64decode(word, validate=True)
    except ValueError:
        return None
