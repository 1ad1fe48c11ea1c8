"""Reading an upload as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.files.failed_files import FileRejectedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.files.uploads import Upload

_READ_BYTES = 1024 * 1024


def read(s3: Any, upload: Upload, most: int) -> Iterator[bytes]:
    """Returns the bytes of an upload, in parts. Raises FileRejectedError for one of more than `most` bytes."""
    answer = s3.get_object(**upload.arguments())
    if answer["ContentLength"] > most:
        message = f"FileTooLarge: {answer['ContentLength']} bytes, at most {most}; split it"
        raise FileRejectedError(message)
    parts: Iterator[bytes] = answer["Body"].iter_chunks(_READ_BYTES)
    return parts
