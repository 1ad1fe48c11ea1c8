"""Reading an upload from any place on: plain, or packed by gzip."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING, Any, cast

from pipeline.files.failed_files import FileRejectedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.files.uploads import Upload

SUFFIXES = (".log", ".json", ".ndjson", ".gz")
_READ_BYTES = 1024 * 1024
# What an invocation can unpack in its time.
MAX_UNPACKED_BYTES = 16 * 1024**3


def check(s3: Any, upload: Upload) -> None:
    """Raises FileRejectedError for an upload that is no log, before anything of it is stored. A packed file is unpacked once to its end: one that
    is cut off must not be stored by half."""
    if not upload.key.lower().endswith(SUFFIXES):
        raise FileRejectedError(f"UnknownKind: expected a name that ends in {', '.join(SUFFIXES)}")
    if not s3.head_object(**upload.arguments())["ContentLength"]:
        raise FileRejectedError("EmptyFile: not a byte in it")
    if not _is_packed(upload):
        return
    size = 0
    try:
        for part in read(s3, upload):
            size += len(part)
            if size > MAX_UNPACKED_BYTES:
                raise FileRejectedError(f"FileTooLarge: it unpacks to more than {MAX_UNPACKED_BYTES} bytes; split it")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FileRejectedError(f"NotGzip: {error}") from error
    if not size:
        raise FileRejectedError("EmptyFile: nothing is packed in it")


def read(s3: Any, upload: Upload, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
    """Yields the unpacked bytes of an upload from `offset` on, all or `length` of them, in parts."""
    left = length
    body = _opened(s3, upload, offset)
    while part := body.read(_READ_BYTES if left is None else min(left, _READ_BYTES)):
        yield part
        left = None if left is None else left - len(part)


def copy(s3: Any, upload: Upload, offset: int, length: int, bucket: str, key: str) -> None:
    """Puts so many unpacked bytes of an upload into an object, in constant memory."""
    s3.upload_fileobj(_Parts(read(s3, upload, offset, length)), bucket, key)


def _opened(s3: Any, upload: Upload, offset: int) -> Any:
    if not _is_packed(upload):
        whole = {} if not offset else {"Range": f"bytes={offset}-"}
        return s3.get_object(**upload.arguments(), **whole)["Body"]
    packed = gzip.GzipFile(fileobj=cast("io.BufferedIOBase", s3.get_object(**upload.arguments())["Body"]))
    # What is packed can only be read from its beginning.
    while offset and (skipped := packed.read(min(offset, _READ_BYTES))):
        offset -= len(skipped)
    return packed


def _is_packed(upload: Upload) -> bool:
    return upload.key.lower().endswith(".gz")


class _Parts(io.RawIOBase):
    """A file to read of parts."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._parts, b"")
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
