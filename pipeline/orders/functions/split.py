"""First state: cuts the file into chunk objects, reading it as a stream, and says how many there are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from pipeline.files.failed_files import FileRejectedError
from pipeline.files.rows import check_header, lines, rows
from pipeline.files.work import Work
from pipeline.orders import transforms

if TYPE_CHECKING:
    from collections.abc import Iterator

s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20))

DELIMITER = os.environ["DELIMITER"]
WANTED = transforms.Bounds(int(os.environ["CHUNK_SIZE"]), int(os.environ["CHUNK_BYTES"]))
_READ_BYTES = 1024 * 1024


def handler(state: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Returns {"chunks": [1, 2, …]}. Raises FileRejectedError for a file that holds no orders at all."""
    work = Work.of(state)
    # Once to count: how long a chunk must be is known before the first is written.
    of_file = transforms.Bounds(1, 0)
    for part in _read(work):
        of_file = transforms.Bounds(of_file.rows + part.count(b"\n"), of_file.size + len(part))
    most = transforms.bounds(WANTED, of_file)
    count = 0
    of_lines = lines(_read(work))
    check_header(next(of_lines, None), transforms.COLUMNS, DELIMITER)
    of_rows = rows(of_lines, len(transforms.COLUMNS), DELIMITER, first_line=2)
    for count, chunk in enumerate(transforms.chunks(of_rows, most), 1):
        body = b"".join(row.raw + b"\n" for row in chunk)
        s3.put_object(
            Bucket=work.upload.bucket, Key=work.part("split", count), Body=body, Metadata={"first-line": str(chunk[0].line)}
        )
    if not count:
        message = "HeaderOnly: no row below the header"
        raise FileRejectedError(message)
    return {"chunks": list(range(1, count + 1))}


def _read(work: Work) -> Iterator[bytes]:
    parts: Iterator[bytes] = s3.get_object(**work.upload.arguments())["Body"].iter_chunks(_READ_BYTES)
    return parts
