"""How long a presigned URL is good for.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
"""

from __future__ import annotations

import functools
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def end(query: Mapping[str, str]) -> float:
    """Returns when a URL of signature version 2 expires, in seconds since 1970."""
    return float(query["Expires"])


def end_v4(query: Mapping[str, str]) -> float:
    """Returns when a URL of signature version 4 expires, in seconds since 1970."""
    signed = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return signed.timestamp() + float(query["X-Amz-Expires"])


def expiring(validate: Callable[[Any], None], ends: Callable[[Mapping[str, str]], float]) -> Callable[[Any], None]:
    """Returns LocalStack's check of a presigned request, which now refuses what has expired."""
    from localstack.aws.api.s3 import AccessDenied  # noqa: PLC0415 - not while LocalStack's S3 is being imported

    @functools.wraps(validate)
    def checked(context: Any) -> None:
        validate(context)
        try:
            at = ends(context.request.args)
        except (KeyError, ValueError):
            # LocalStack says what is wrong with it.
            return
        if time.time() > at:
            raise AccessDenied("Request has expired", Expires=at, ServerTime=time.time())

    return checked
