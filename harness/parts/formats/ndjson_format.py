"""NDJSON files: one JSON document per line, and what may be wrong with a file as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from harness.accounting.record import Record
from harness.parts.formats.csv_format import NOT_TEXT
from harness.parts.units import File
from harness.parts.variety import Variety

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.parts.ports import Malformer

NDJSON_FILE_FAULTS = ("empty_file", "not_json")
"""What may be wrong with a whole NDJSON file."""


NDJSON_VARIETY = Variety(
    {
        "file: lines end with": ("LF", "CRLF"),
        "file: the last line": ("ends", "does not end"),
    }
)


@dataclass(frozen=True)
class NdjsonFormat:
    """One record per line."""

    malformers: Mapping[str, Malformer] = field(default_factory=dict)
    suffix: str = ".ndjson"
    without_records: frozenset[str] = frozenset({"empty_file"})
    variety: Variety = NDJSON_VARIETY

    def written(self, values: Any, classes: Mapping[str, str] | None = None) -> bytes:  # noqa: ARG002 - all lines are written alike
        """Returns a line without its end. Bytes are taken for JSON that is written already."""
        return values if isinstance(values, bytes) else to_json(values)

    def damaged(self, payload: bytes, fault: str) -> bytes:  # noqa: ARG002 - the only such fault leaves the bytes and spoils the frame
        """Returns a line as it stands in a file with this fault."""
        return payload.replace(b'"', b"'")

    def file(
        self, name: str, rows: Callable[[], Iterator[Record]], fault: str | None, classes: Mapping[str, str] | None = None
    ) -> File:
        """Returns the file around the lines."""
        if fault == "empty_file":
            return File(name, rows, itself=Record(name, b"", None, fault))
        if fault == "not_json":
            return File(name, rows, NOT_TEXT)
        classes = classes or NDJSON_VARIETY.ordinary
        line_end = b"\r\n" if classes["file: lines end with"] == "CRLF" else b"\n"
        return File(name, rows, b"", line_end, line_end if classes["file: the last line"] == "ends" else b"")
