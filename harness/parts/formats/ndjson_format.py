"""NDJSON files: one JSON document per line, and what may be wrong with a file as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from harness.accounting.record import Record
from harness.parts.formats.csv_format import NOT_TEXT
from harness.parts.units import File

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.parts.ports import Malformer

NDJSON_FILE_FAULTS = ("empty_file", "not_json")
"""What may be wrong with a whole NDJSON file."""


@dataclass(frozen=True)
class NdjsonFormat:
    """One record per line."""

    malformers: Mapping[str, Malformer] = field(default_factory=dict)
    suffix: str = ".ndjson"
    without_records: frozenset[str] = frozenset({"empty_file"})

    def written(self, values: Any) -> bytes:
        """Returns a line without its end. Bytes are taken for JSON that is written already."""
        return values if isinstance(values, bytes) else to_json(values)

    def damaged(self, payload: bytes, fault: str) -> bytes:  # noqa: ARG002 - the only such fault leaves the bytes and spoils the frame
        """Returns a line as it stands in a file with this fault."""
        return payload.replace(b'"', b"'")

    def file(self, name: str, rows: Callable[[], Iterator[Record]], fault: str | None) -> File:
        """Returns the file around the lines."""
        if fault == "empty_file":
            return File(name, rows, itself=Record(name, b"", None, fault))
        return File(name, rows, NOT_TEXT if fault == "not_json" else b"")
