"""Objects of one JSON document per line, under a prefix of a bucket."""

from __future__ import annotations

import gzip
import itertools
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from harness.accounting.probes.objects import keys
from harness.accounting.record import Observation, Outcome, identifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.clients import Clients

_CONCURRENT_READS = 4
_OBJECTS_PER_ROUND = 64


@dataclass(frozen=True, slots=True)
class S3NdjsonProbe:
    """`id_field` names the field of a document that holds the record's id, `time_field` (optional) the ISO 8601 time of storage."""

    clients: Clients
    bucket: str
    prefix: str
    id_field: str
    time_field: str | None = None

    def observe(self) -> Iterator[Observation]:
        """One observation per line. A line that is no JSON object, or has no id, is seen without an id."""
        s3 = self.clients("s3")
        of_keys = keys(s3, self.bucket, self.prefix)
        with ThreadPoolExecutor(_CONCURRENT_READS, thread_name_prefix="probe-s3") as pool:
            while some := list(itertools.islice(of_keys, _OBJECTS_PER_ROUND)):
                yield from self._read(pool, s3, some)

    def _read(self, pool: ThreadPoolExecutor, s3: Any, some: list[str]) -> Iterator[Observation]:
        for key, body in pool.map(lambda key: (key, s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()), some):
            place = f"s3://{self.bucket}/{key}"
            for line in _content(key, body).split(b"\n"):
                if line:
                    yield self._sighting(place, line)

    def _sighting(self, place: str, line: bytes) -> Observation:
        try:
            document = from_json(line)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            return Observation(Outcome.STORED, place, content=line)
        record_id = document.get(self.id_field)
        seen_at_ms = _milliseconds(document.get(self.time_field)) if self.time_field else None
        return Observation(Outcome.STORED, place, identifier(record_id), seen_at_ms=seen_at_ms, content=line)


def _content(key: str, body: bytes) -> bytes:
    if not key.endswith(".gz"):
        return body
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        # A line that nothing can be read from: seen, and by no record's name.
        return b"an object that is not gzip, or cut off"


def _milliseconds(value: Any) -> int | None:
    try:
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    except (TypeError, ValueError):
        return None
