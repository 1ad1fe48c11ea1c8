"""Objects of a bucket: NDJSON, CSV, JSON, Parquet, or each object as one document. Names that end in .gz are unpacked."""

from __future__ import annotations

import csv
import fnmatch
import gzip
import io
import itertools
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from botocore.exceptions import ClientError
from pydantic import Field
from pydantic_core import from_json, to_json

from harness.accounting.record import Observation, Outcome, object_put
from harness.documents import LONGEST_LINE, require_few_values
from harness.parts.ports import Context, Probe
from harness.parts.reading import Reader, Reading, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_CONCURRENT_READS = 4
_OBJECTS_PER_ROUND = 64

_MOST_UNPACKED = 1 << 28
_MOST_ROWS = 1 << 31
_MOST_VALUES = 20_000_000
# So many times its size a page may be that is worth packing.
_PACKED = 100
_ROWS = 64
# Python refuses fields of more than 128 KiB by default.
csv.field_size_limit(LONGEST_LINE)
_LINE = re.compile(rb"[^\n]+")


class S3(Reading, Probe):
    """Reads the objects of `bucket` below `prefix` whose key matches `pattern` (`*` matches slashes too).

    `ndjson` is one JSON document per line. `csv` has a header, or `columns` name the fields where it has none; its rows have an order,
    and a row behind one that was offered later is corrupted. `json` is one document per object: `each` finds its records. `parquet` is one
    document per row. `whole` reads no body: it is for objects that are identified by their metadata."""

    bucket: str
    prefix: str = ""
    pattern: str = "*"
    format: Literal["ndjson", "csv", "json", "parquet", "whole"] = "ndjson"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    columns: tuple[str, ...] | None = None

    def open(self, context: Context) -> Iterator[Observation]:
        """Yields the sightings of all objects. What cannot be read is seen without an identity."""
        s3 = context.clients("s3")
        reader = Reader(self, context.clients)
        if self.format == "csv":
            # Merged files are large: they are read as streams, one at a time.
            for key in self._keys(s3):
                yield from self._csv(s3.get_object(Bucket=self.bucket, Key=key), key, reader)
            return
        documents = _DOCUMENTS[self.format]
        with_body = self.format != "whole" or self.reads("$object.body")

        def get(key: str) -> tuple[str, dict[str, Any], bytes]:
            if not with_body:
                return key, s3.head_object(Bucket=self.bucket, Key=key), b""
            answer = s3.get_object(Bucket=self.bucket, Key=key)
            return key, answer, answer["Body"].read()

        keys = self._keys(s3)
        with ThreadPoolExecutor(_CONCURRENT_READS, thread_name_prefix="probe-s3") as pool:
            while some := list(itertools.islice(keys, _OBJECTS_PER_ROUND)):
                for key, answer, body in pool.map(get, some):
                    yield from self._read(key, answer, body, documents, reader)

    def doubts(self, context: Context) -> Iterator[str]:
        """Yields a reason per lifecycle rule that will remove objects there before long."""
        try:
            rules = context.clients("s3").get_bucket_lifecycle_configuration(Bucket=self.bucket)["Rules"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "NoSuchLifecycleConfiguration":
                raise
            return
        for rule in rules:
            left_s = _expires_in_s(rule)
            prefix = _prefix(rule)
            meets = prefix.startswith(self.prefix) or self.prefix.startswith(prefix)
            if rule.get("Status") == "Enabled" and meets and left_s is not None and left_s < context.kept_for_s:
                yield f"lifecycle rule {rule.get('ID', '')} of bucket {self.bucket} removes objects sooner than kept_for_hours says"

    def _keys(self, s3: Any) -> Iterator[str]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix):
            yield from (item["Key"] for item in page.get("Contents", []) if fnmatch.fnmatchcase(item["Key"], self.pattern))

    def _read(
        self,
        key: str,
        answer: dict[str, Any],
        body: bytes,
        documents: Callable[[bytes], Iterable[tuple[Any, bytes]]],
        reader: Reader,
    ) -> Iterator[Observation]:
        place, put_at = f"s3://{self.bucket}/{key}", object_put(self.bucket, key, answer.get("ETag", ""))
        around = _around(key, answer, body)
        try:
            content = _unpacked(body) if key.endswith(".gz") else body
            for document, raw in documents(content):
                seen = Seen(document, place, around | {"row": raw}, raw, put_at=put_at)
                # A line that is spoilt may have been given up as it is.
                whole = isinstance(document, dict) or self.format in {"json", "whole"} or self.reads("$row")
                yield from reader.sightings(seen) if whole else [reader.unidentified(seen)]
        except (OSError, EOFError, zlib.error, ValueError) as error:
            # Not gzip, not JSON, not Parquet, or cut off: an object is there, and no record can be found in it.
            yield Observation(Outcome(self.outcome), place, content=to_json(f"not {self.format}: {error}"), put_at=put_at)

    def _csv(self, answer: dict[str, Any], key: str, reader: Reader) -> Iterator[Observation]:
        around = _around(key, answer, b"")
        of = partial(
            Seen,
            place=f"s3://{self.bucket}/{key}",
            seen_at_ms=int(answer["LastModified"].timestamp() * 1000),
            put_at=object_put(self.bucket, key, answer.get("ETag", "")),
        )
        body = gzip.GzipFile(fileobj=io.BytesIO(answer["Body"].read())) if key.endswith(".gz") else answer["Body"]
        # Read as bytes, each of them a character: only line feeds end lines.
        lines = _Lines(io.TextIOWrapper(body, "latin-1", newline="\n"))
        rows = csv.reader(lines, delimiter=self.delimiter)
        try:
            header = list(self.columns) if self.columns is not None else next(rows, [])
            # A byte order mark is no part of a column's name.
            header[:1] = [name.removeprefix("\ufeff") for name in header[:1]]
        except (csv.Error, OSError, EOFError, zlib.error) as error:
            yield reader.unidentified(of(f"not a header: {error}", around=around))
            return
        for position in itertools.count():
            lines.taken.clear()
            try:
                row = next(rows)
            except StopIteration:
                return
            except (OSError, EOFError, zlib.error) as error:
                yield reader.unidentified(of(f"not gzip, or cut off: {error}", around=around))
                return
            except csv.Error as error:
                seen, whole = of(str(error), around=around | {"row": lines.row()}, position=position), False
            else:
                seen = of(dict(zip(header, row, strict=False)), around=around | {"row": lines.row()}, position=position)
                whole = len(row) == len(header)
            yield from reader.sightings(seen) if whole or self.reads("$row") else [reader.unidentified(seen)]


class _Lines:
    """The lines of a text in Latin-1, whose characters are bytes, for a CSV reader; `taken` are those that it has read since the list was
    cleared. It reads them as UTF-8; bytes that are not UTF-8 are escaped, so that a spoilt row is seen as such."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.taken: list[bytes] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST_LINE + 1).encode("latin-1")
        if not line:
            raise StopIteration
        self.taken.append(line[:LONGEST_LINE])
        if len(line) > LONGEST_LINE:
            while line and not line.endswith(b"\n"):
                line = self._text.readline(LONGEST_LINE).encode("latin-1")
            raise csv.Error(f"a line of more than {LONGEST_LINE:,} bytes")
        return line.decode("utf-8", "backslashreplace")

    def row(self) -> bytes:
        """Returns the lines that were taken as one row, without its line end."""
        return b"".join(self.taken).removesuffix(b"\n").removesuffix(b"\r")


def _expires_in_s(rule: dict[str, Any]) -> float | None:
    """Returns how soon a lifecycle rule may remove an object, in seconds; None where it removes none."""
    expiration = rule.get("Expiration") or {}
    if expiration.get("Days"):
        return float(expiration["Days"] * 86_400)
    date = expiration.get("Date")
    return None if date is None else float((date - datetime.now(UTC)).total_seconds())


def _prefix(rule: dict[str, Any]) -> str:
    limits = rule.get("Filter") or {}
    return str(rule.get("Prefix") or limits.get("Prefix") or (limits.get("And") or {}).get("Prefix") or "")


def _unpacked(body: bytes) -> bytes:
    """Returns what is packed by gzip. Raises ValueError for more than anybody stores in one object that is read as a whole: a few bytes may stand for gigabytes."""
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
        content = file.read(_MOST_UNPACKED + 1)
    if len(content) > _MOST_UNPACKED:
        raise ValueError(f"it unpacks to more than {_MOST_UNPACKED:,} bytes")
    return content


def _around(key: str, answer: dict[str, Any], body: bytes) -> dict[str, Any]:
    return {"object": {"key": key, "metadata": answer.get("Metadata", {}), "version": answer.get("VersionId"), "body": body}}


def _ndjson(body: bytes) -> Iterator[tuple[Any, bytes]]:
    # One after the other, and blank lines not at all: a few packed bytes may be millions of them.
    for found in _LINE.finditer(body):
        line = found[0]
        try:
            yield _json(line), line
        except ValueError:
            yield None, line


def _json(content: bytes) -> Any:
    require_few_values(content, _MOST_VALUES)
    return from_json(content)


def _parquet(body: bytes) -> Iterator[tuple[Any, bytes]]:
    import pyarrow as pa  # noqa: PLC0415 - a third of a second
    import pyarrow.parquet as pq  # noqa: PLC0415

    with pq.ParquetFile(pa.BufferReader(body)) as file:
        groups = [file.metadata.row_group(number).total_byte_size for number in range(file.metadata.num_row_groups)]
        if max(groups, default=0) > max(_MOST_UNPACKED, _PACKED * len(body)):
            raise ValueError(f"a row group of it has {max(groups):,} bytes, in {len(body):,}")
        size = 0
        # Few rows at a time: a value that is written once may stand in all of them.
        for batch in file.iter_batches(batch_size=_ROWS):
            for row in batch.to_pylist():
                raw = to_json(row, bytes_mode="base64", fallback=str)
                size += len(raw)
                if size > _MOST_ROWS:
                    raise ValueError(f"its rows have more than {_MOST_ROWS:,} bytes")
                yield row, raw


_DOCUMENTS: dict[str, Callable[[bytes], Iterable[tuple[Any, bytes]]]] = {
    "ndjson": _ndjson,
    "json": lambda body: [(_json(body), body)],
    "parquet": _parquet,
    "whole": lambda body: [({}, body)],
}
