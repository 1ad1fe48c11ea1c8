"""The objects under a prefix of a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    """The keys of all objects there are, in their order, a page of a thousand at a time."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (item["Key"] for item in page.get("Contents", []))
