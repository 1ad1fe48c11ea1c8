"""Listings with encoded keys (EncodingType=url, which every SDK asks for).

LocalStack compares encoded keys with a plain marker: where keys have a `=` (dt=2026-01-01/…), every page after the first is empty, and whoever
reads all pages misses what is beyond a thousand objects. Here keys are compared as they are, and encoded in the answer. Source:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import base64
import functools
from typing import Any
from urllib.parse import quote

_quoted = functools.lru_cache(8192)(quote)
# What is encoded: fields of the answer, and the member of each entry of a list.
_FIELDS = ("Delimiter", "KeyMarker", "Marker", "NextKeyMarker", "NextMarker", "Prefix", "StartAfter")
_MEMBERS = {"CommonPrefixes": "Prefix", "Contents": "Key", "DeleteMarkers": "Key", "Uploads": "Key", "Versions": "Key"}


def encoded_afterwards(operation: Any) -> Any:
    """Returns an operation of LocalStack's S3 provider that encodes keys when it has chosen them."""

    @functools.wraps(operation)
    def listed(self: Any, context: Any, bucket: Any, delimiter: Any = None, encoding_type: Any = None, **options: Any) -> Any:
        output = operation(self, context, bucket, delimiter, None, **options)
        if not encoding_type:
            return output
        output["EncodingType"] = encoding_type
        for name in _FIELDS:
            if output.get(name):
                output[name] = quote(output[name])
        for name, member in _MEMBERS.items():
            if output.get(name):
                output[name] = [
                    one if (encoded := _quoted(key := one[member])) == key else {**one, member: encoded} for one in output[name]
                ]
        return output

    return listed


def key_of_token(token: str | None) -> str:
    """Returns the key that a continuation token of LocalStack stands for; "" for None."""
    return base64.b64decode(token, altchars=b"._").decode() if token else ""
