"""CSV objects under a prefix of a bucket, read as streams."""

from __future__ import annotations

import csv
import io
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import to_json

from harness.accounting.probes.objects import keys
from harness.accounting.record import Observation, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.clients import Clients


@dataclass(frozen=True, slots=True)
class S3CsvProbe:
    """`id_fields` name the columns that make a record's id, joined by a slash. The metadata `upload` of an object, where it has one,
    says which upload its rows are of."""

    clients: Clients
    bucket: str
    prefix: str
    id_fields: tuple[str, ...]
    delimiter: str = ","

    def observe(self) -> Iterator[Observation]:
        """One observation per row below the header, with its place in the order. A row that does not fit the header is seen without an id."""
        s3 = self.clients("s3")
        for key in keys(s3, self.bucket, self.prefix):
            answer = s3.get_object(Bucket=self.bucket, Key=key)
            seen_at_ms = int(answer["LastModified"].timestamp() * 1000)
            # Not strict: what is no UTF-8 is somebody's spoilt row, to be told as such. Only line feeds end lines.
            text = io.TextIOWrapper(answer["Body"], "utf-8", errors="backslashreplace", newline="\n")
            rows = csv.reader(text, delimiter=self.delimiter)
            yield from self._rows(rows, f"s3://{self.bucket}/{key}", answer["Metadata"].get("upload"), seen_at_ms)

    def _rows(self, rows: Iterator[list[str]], place: str, upload: str | None, seen_at_ms: int) -> Iterator[Observation]:
        header = next(rows, [])
        known = all(name in header for name in self.id_fields)
        for position in itertools.count():
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Observation(Outcome.STORED, place, seen_at_ms=seen_at_ms, content=to_json(str(error)), position=position)
                continue
            content = to_json(dict(zip(header, row, strict=False)))
            record_id = None
            if known and len(row) == len(header):
                record_id = "/".join(row[header.index(name)] for name in self.id_fields)
            # Without an id it must not pass for the whole upload.
            shard = upload if record_id is not None else None
            yield Observation(Outcome.STORED, place, record_id, shard, seen_at_ms=seen_at_ms, content=content, position=position)
