"""JSON files: a list of records, the ways in which they are written, and what may be wrong with one as a whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.accounting.record import Record
from harness.parts.formats.csv_format import NOT_TEXT
from harness.parts.units import File
from harness.parts.variety import Variety

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.parts.ports import Malformer

JSON_FILE_FAULTS = ("empty_file", "no_records", "not_a_list", "not_json", "cut_off")
"""What may be wrong with a whole JSON file."""


JSON_VARIETY = Variety(
    {
        "file: byte order mark": ("none", "UTF-8"),
        "file: lines": ("a record each", "one", "blank ones between"),
        "file: other fields": ("none", "before the records", "behind the records"),
    }
)
_OTHERS = ("source", "count")
_BETWEEN = {"a record each": b",\n", "one": b",", "blank ones between": b" ,\r\n\r\n\t"}


@dataclass(frozen=True)
class JsonFormat:
    """`{"<key>": [record, …]}`, or `[record, …]` where there is no key; a record is an element of the list, and its place there counts from 0."""

    key: str | None = "records"
    malformers: Mapping[str, Malformer] = field(default_factory=dict)
    suffix: str = ".json"
    without_records: frozenset[str] = frozenset({"empty_file", "no_records"})

    @property
    def variety(self) -> Variety:
        """What is written in several ways. A file that is the list itself has no other fields, and none has a name twice."""
        has_others = self.key not in {None, *_OTHERS}
        return Variety({name: of for name, of in JSON_VARIETY.dimensions.items() if has_others or name != "file: other fields"})

    def written(self, values: Any, classes: Mapping[str, str] | None = None) -> bytes:  # noqa: ARG002 - all elements are written alike
        """Returns an element of the list. Bytes are taken for JSON that is written already."""
        return values if isinstance(values, bytes) else json.dumps(values, ensure_ascii=False).encode()

    def damaged(self, payload: bytes, fault: str) -> bytes:  # noqa: ARG002 - a spoilt list spoils no element
        """Returns an element as it stands in a file with this fault."""
        return payload

    def file(
        self, name: str, rows: Callable[[], Iterator[Record]], fault: str | None, classes: Mapping[str, str] | None = None
    ) -> File:
        """Returns the file around the rows."""
        head, tail = self._around()
        between = b",\n"
        match fault:
            case "empty_file":
                return File(name, rows, itself=Record(name, b"", None, fault))
            case "no_records":
                return File(name, rows, itself=Record(name, head + tail, None, fault))
            case "not_a_list":
                return File(name, rows, b'{"rows": [' if self.key != "rows" else b'{"lines": [', between, tail=b"]}\n")
            case "not_json":
                return File(name, rows, NOT_TEXT, between, tail=b"")
            case "cut_off":
                return File(name, rows, head + b"\n", between, tail=b"")
            case _:
                return self._healthy(name, rows, classes or self.variety.ordinary)

    def _around(self, before: bytes = b"", behind: bytes = b"") -> tuple[bytes, bytes]:
        """Returns what stands before the elements and behind them."""
        return (b"[", b"]") if self.key is None else (b"{" + before + json.dumps(self.key).encode() + b": [", b"]" + behind + b"}")

    def _healthy(self, name: str, rows: Callable[[], Iterator[Record]], classes: Mapping[str, str]) -> File:
        mark = "\ufeff".encode() if classes["file: byte order mark"] == "UTF-8" else b""
        other = classes.get("file: other fields")
        before = b'"source": {"records": "[]"}, ' if other == "before the records" else b""
        behind = b', "count": null' if other == "behind the records" else b""
        head, tail = self._around(before, behind)
        return File(name, rows, mark + head + b"\n", _BETWEEN[classes["file: lines"]], tail=b"\n" + tail + b"\n")
