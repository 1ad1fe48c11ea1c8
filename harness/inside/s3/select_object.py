"""SelectObjectContent: reads the object, runs the query, answers an event stream.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_SelectObjectContent.html
"""

from __future__ import annotations

import bz2
import gzip
import itertools
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localstack.aws.api import CommonServiceException
from localstack.http import Response

from harness.inside.s3 import event_stream
from harness.inside.s3.select import SelectError, selected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localstack.aws.api import RequestContext

_MAX_EVENT_BYTES = 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_MOST_UNPACKED = 1 << 30
_HEADERS = {"Content-Type": "application/octet-stream"}


def select_object_content(self: Any, context: RequestContext, request: Any, **_: Any) -> Response:
    """The operation of LocalStack's provider; `self` is the provider, which reads the object."""
    source, target = request.get("InputSerialization") or {}, request.get("OutputSerialization") or {}
    _verify(request, source, target)
    wanted = {
        key: request[key]
        for key in ("Bucket", "Key", "SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5")
        if key in request
    }
    found = self.get_object(context, wanted)
    folder = tempfile.TemporaryDirectory(prefix="select-")
    path = Path(folder.name) / "object"
    try:
        scanned, processed = _copy(found["Body"], path, source.get("CompressionType") or "NONE")
        if request.get("ScanRange"):
            processed = _cut(path, request["ScanRange"])
        pieces = selected(path, request["Expression"], source, target)
        first = next(pieces, b"")
    except SelectError as error:
        folder.cleanup()
        raise CommonServiceException(error.code, str(error), status_code=400, sender_fault=True) from error
    except BaseException:
        folder.cleanup()
        raise
    return Response(_events(folder, first, pieces, scanned, processed), status=200, headers=_HEADERS)


def _verify(request: Any, source: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    def refuse(code: str, message: str) -> None:
        raise CommonServiceException(code, message, status_code=400, sender_fault=True)

    if request.get("ExpressionType") != "SQL":
        refuse("InvalidExpressionType", "The ExpressionType is invalid. Only SQL expressions are supported.")
    if len(source.keys() & {"CSV", "JSON", "Parquet"}) != 1:
        refuse("InvalidDataSource", "InputSerialization needs one of CSV, JSON and Parquet.")
    if len(target.keys() & {"CSV", "JSON"}) != 1:
        refuse("InvalidRequestParameter", "OutputSerialization needs one of CSV and JSON.")
    if "Parquet" in source and (source.get("CompressionType") or "NONE") != "NONE":
        refuse("InvalidCompressionFormat", "Parquet objects cannot be compressed as a whole.")


def _copy(body: Any, path: Path, compression: str) -> tuple[int, int]:
    """Writes the object into the file, uncompressed. Returns the bytes of the object, and those of the file."""
    raw = path.with_suffix(".raw")
    # An open body keeps writers of the object waiting.
    with raw.open("wb") as file, closing(body):
        for chunk in body:
            file.write(chunk)
    opener: Any = {"GZIP": gzip.open, "BZIP2": bz2.open}.get(compression)
    if opener is None:
        raw.rename(path)
        return path.stat().st_size, path.stat().st_size
    try:
        with opener(raw, "rb") as packed, path.open("wb") as file:
            while chunk := packed.read(_CHUNK_BYTES):
                file.write(chunk)
                if file.tell() > _MOST_UNPACKED:
                    raise SelectError("OverMaxRecordSize", f"The object unpacks to more than {_MOST_UNPACKED:,} bytes.")
    except (OSError, EOFError) as error:
        raise SelectError("InvalidCompressionFormat", f"{compression} is not applicable to the queried object: {error}") from error
    scanned = raw.stat().st_size
    raw.unlink()
    return scanned, path.stat().st_size


def _cut(path: Path, scan_range: Mapping[str, int]) -> int:
    """Keeps the records that begin within the range of bytes. Returns the bytes that are left."""
    size = path.stat().st_size
    start = scan_range.get("Start", max(0, size - scan_range.get("End", size)))
    end = scan_range.get("End", size) if "Start" in scan_range else size
    kept, at = bytearray(), 0
    with path.open("rb") as file:
        for line in file:
            if start <= at < end:
                kept += line
            at += len(line)
    path.write_bytes(kept)
    return len(kept)


def _events(folder: Any, first: bytes, pieces: Iterator[bytes], scanned: int, processed: int) -> Iterator[bytes]:
    returned = 0
    try:
        for piece in itertools.chain([first], pieces):
            returned += len(piece)
            yield from _records(piece)
    except SelectError as error:
        yield event_stream.error(error.code, str(error))
        return
    finally:
        folder.cleanup()
    stats = f"<Stats><BytesScanned>{scanned}</BytesScanned><BytesProcessed>{processed}</BytesProcessed><BytesReturned>{returned}</BytesReturned></Stats>"
    yield event_stream.event("Stats", stats.encode(), "text/xml")
    yield event_stream.event("End")


def _records(piece: bytes) -> Iterator[bytes]:
    for start in range(0, len(piece), _MAX_EVENT_BYTES):
        yield event_stream.event("Records", piece[start : start + _MAX_EVENT_BYTES], "application/octet-stream")
