"""CSV files (RFC 4180), the ways in which they are written, and what may be wrong with one as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.accounting.record import Record
from harness.parts.formats.csv_malformers import CSV_MALFORMERS
from harness.parts.units import File
from harness.parts.variety import Variety

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.parts.ports import Malformer

NOT_TEXT = b"%PDF-1.7\n\xe2\xe3\xcf\xd3\n"
"""The beginning of a file of another kind."""

CSV_FILE_FAULTS = ("empty_file", "header_only", "wrong_header", "wrong_delimiter", "not_csv")
"""What may be wrong with a whole CSV file."""


CSV_VARIETY = Variety(
    {
        "file: byte order mark": ("none", "UTF-8"),
        "file: lines end with": ("LF", "CRLF"),
        "file: the last line": ("ends", "does not end"),
        "file: quotes": ("where needed", "around all"),
    }
)
_BOM = "\ufeff".encode()


@dataclass(frozen=True)
class CsvFormat:
    """A header with these columns, and one row per record. Values are text."""

    columns: tuple[str, ...]
    malformers: Mapping[str, Malformer] = field(default_factory=lambda: CSV_MALFORMERS)
    suffix: str = ".csv"
    without_records: frozenset[str] = frozenset({"empty_file", "header_only"})
    variety: Variety = CSV_VARIETY

    def written(self, values: Any, classes: Mapping[str, str] | None = None) -> bytes:
        """Returns a row without its line end; values are in the order of the columns."""
        everywhere = classes is not None and classes["file: quotes"] == "around all"
        return ",".join(_quoted(value, everywhere=everywhere) for value in values).encode()

    def damaged(self, payload: bytes, fault: str) -> bytes:
        """Returns a row as it stands in a file with this fault."""
        return payload.replace(b",", b";") if fault == "wrong_delimiter" else payload

    def file(
        self, name: str, rows: Callable[[], Iterator[Record]], fault: str | None, classes: Mapping[str, str] | None = None
    ) -> File:
        """Returns the file around the rows."""
        header = self.written(self.columns) + b"\n"
        match fault:
            case "empty_file":
                return File(name, rows, itself=Record(name, b"", None, fault))
            case "header_only":
                return File(name, rows, itself=Record(name, header, None, fault))
            case "wrong_header":
                return File(name, rows, b"no_" + header)
            case "wrong_delimiter":
                return File(name, rows, header.replace(b",", b";"))
            case "not_csv":
                return File(name, rows, NOT_TEXT)
            case _:
                return self._healthy(name, rows, classes or CSV_VARIETY.ordinary)

    def _healthy(self, name: str, rows: Callable[[], Iterator[Record]], classes: Mapping[str, str]) -> File:
        line_end = b"\r\n" if classes["file: lines end with"] == "CRLF" else b"\n"
        mark = _BOM if classes["file: byte order mark"] == "UTF-8" else b""
        end = line_end if classes["file: the last line"] == "ends" else b""
        return File(name, rows, mark + self.written(self.columns, classes) + line_end, line_end, end)


def _quoted(value: str, *, everywhere: bool) -> str:
    return f'"{value.replace(chr(34), chr(34) * 2)}"' if everywhere or any(sign in value for sign in ',"\n\r') else value
