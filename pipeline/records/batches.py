"""Batches that have been given up: a mark beside their work, which S3 shows at once to everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from pipeline.files.work import Work


def give_up(s3: Any, work: Work, batch: int) -> None:
    """Marks the batch; again is the same."""
    s3.put_object(Bucket=work.upload.bucket, Key=work.part("given-up", batch), Body=b"")


def given_up(s3: Any, work: Work, batch: int) -> bool:
    """Returns whether the batch is marked as given up."""
    try:
        s3.head_object(Bucket=work.upload.bucket, Key=work.part("given-up", batch))
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"404", "NoSuchKey", "NotFound"}:
            raise
        return False
    return True
