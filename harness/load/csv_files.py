"""Synthetic CSV files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from harness.load.files import Frame
from harness.load.malformed_csv import CSV_MALFORMERS, NOT_CSV
from harness.load.synthetic_files import SyntheticFiles

if TYPE_CHECKING:
    from harness.load.synthetic_files import Entry


@dataclass(frozen=True)
class CsvFiles(SyntheticFiles):
    """See SyntheticFiles. The values of an entry are text."""

    malformers = CSV_MALFORMERS
    without_records = frozenset({"empty_file", "header_only"})
    suffix = ".csv"
    columns: ClassVar[tuple[str, ...]]

    def written(self, entry: Entry) -> bytes:
        """See SyntheticFiles."""
        return ",".join(_quoted(value) for value in entry.values).encode()

    def damaged(self, payload: bytes, fault: str) -> bytes:
        """See SyntheticFiles."""
        return payload.replace(b",", b";") if fault == "wrong_delimiter" else payload

    def framed(self, fault: str | None) -> Frame:
        """See SyntheticFiles."""
        header = ",".join(self.columns).encode() + b"\n"
        match fault:
            case "empty_file":
                return Frame(rows=False)
            case "header_only":
                return Frame(header, rows=False)
            case "wrong_header":
                return Frame(b"no_" + header)
            case "wrong_delimiter":
                return Frame(header.replace(b",", b";"))
            case "not_csv":
                return Frame(NOT_CSV)
            case _:
                return Frame(header)


def _quoted(value: str) -> str:
    return f'"{value.replace(chr(34), chr(34) * 2)}"' if any(sign in value for sign in ',"\n') else value
