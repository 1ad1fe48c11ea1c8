"""Merges the processed chunks, in their order, into one object; a large one in parts."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from pipeline.files.work import Work
from pipeline.orders import transforms

if TYPE_CHECKING:
    from collections.abc import Iterator

s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20))

DELIMITER = os.environ["DELIMITER"]
# A part of a multipart upload has at least 5 MiB, but for the last.
PART_BYTES = 8 * 1024 * 1024


class ChunksMissingError(Exception):
    """Not every chunk has been processed."""


def handler(state: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Returns {"output": key}."""
    work = Work.of(state)
    bucket = work.upload.bucket
    keys = _processed(work)
    expected = [work.part("processed", chunk) for chunk in state["split"]["chunks"]]
    if keys != expected:
        message = f"{len(keys)} chunks of {work.upload.run} are processed, expected {len(expected)}"
        raise ChunksMissingError(message)
    output = transforms.output_key(work)
    _write(bucket, output, {"upload": work.upload.id}, _parts(bucket, keys))
    return {"output": output}


def _processed(work: Work) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=work.upload.bucket, Prefix=work.prefix("processed"))
    return sorted(item["Key"] for page in pages for item in page.get("Contents", []))


def _parts(bucket: str, keys: list[str]) -> Iterator[bytes]:
    """Yields the merged file in parts of PART_BYTES or a little more; the last is what remains."""
    part = transforms.header(DELIMITER)
    for key in keys:
        part += s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        if len(part) >= PART_BYTES:
            yield part
            part = b""
    yield part


def _write(bucket: str, key: str, metadata: dict[str, str], parts: Iterator[bytes]) -> None:
    first = next(parts)
    second = next(parts, b"")
    if not second:
        s3.put_object(Bucket=bucket, Key=key, Body=first, ContentType="text/csv", Metadata=metadata)
        return
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key=key, ContentType="text/csv", Metadata=metadata)["UploadId"]
    try:
        bodies = (body for body in itertools.chain((first, second), parts) if body)
        done = [_upload(bucket, key, upload_id, number, body) for number, body in enumerate(bodies, 1)]
        s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": done})
    except BaseException:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
        raise


def _upload(bucket: str, key: str, upload_id: str, number: int, body: bytes) -> dict[str, Any]:
    answer = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body)
    return {"PartNumber": number, "ETag": answer["ETag"]}
