"""The bytes of objects, as hashes: an object may be larger than the memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.parts.ports import Context


def hashes(context: Context, bucket: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Yields the key of each object below a prefix with the payload hash of its bytes."""
    s3 = context.clients("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            digest = hashlib.sha256()
            for part in s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].iter_chunks(1 << 20):
                digest.update(part)
            yield item["Key"], digest.digest()[:16]
