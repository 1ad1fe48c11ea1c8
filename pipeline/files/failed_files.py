"""Files that cannot be processed at all: they are set aside whole, and an alert names them and the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.files.uploads import Upload
    from pipeline.files.work import Work

ALERT_TYPE = "failed-file"


class FileRejectedError(Exception):
    """The file cannot be processed, however often it is tried."""


def move(s3: Any, upload: Upload, key: str, *, bucket: str | None = None) -> None:
    """Copies this version to `key` and then deletes it; again, when a part of it was done, does the rest."""
    target = bucket or upload.bucket
    try:
        s3.copy_object(
            Bucket=target,
            Key=key,
            CopySource=upload.arguments(),
            MetadataDirective="REPLACE",
            Metadata={"upload": upload.id},
        )
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchKey", "NoSuchVersion", "404"}:
            raise
        # Gone: an earlier attempt has copied it, and then deleted it.
        s3.head_object(Bucket=target, Key=key)
        return
    s3.delete_object(**upload.arguments())


def set_aside(s3: Any, sns: Any, topic_arn: str, work: Work, error: dict[str, str]) -> str:
    """Moves an upload under error/ and tells; `error` is what Step Functions caught. Returns the key under which it is kept."""
    kept_at = f"error/{work.kept}"
    move(s3, work.upload, kept_at)
    name, reason = explained(error)
    alert_failed_file(sns, topic_arn, work.upload, error_name=name, reason=reason, kept_at=kept_at)
    return kept_at


def alert_failed_file(sns: Any, topic_arn: str, upload: Upload, *, error_name: str, reason: str, kept_at: str) -> None:
    """Publishes an alert for all rows of the file."""
    message = {
        "alertType": ALERT_TYPE,
        "upload": upload.id,
        "bucket": upload.bucket,
        "key": upload.key,
        "versionId": upload.version_id,
        "errorName": error_name,
        "reason": reason[:4096],
        "keptAt": kept_at,
    }
    sns.publish(TopicArn=topic_arn, Subject=f"File not processed: {upload.run}"[:100], Message=json.dumps(message))


def explained(error: dict[str, str]) -> tuple[str, str]:
    """Returns name and message of what Step Functions caught ({"Error", "Cause"}): those of the function's exception, where the cause has them."""
    cause = error.get("Cause", "")
    try:
        message = json.loads(cause)["errorMessage"]
    except (ValueError, KeyError, TypeError):
        return error.get("Error", "Unknown"), cause
    name, separator, details = message.partition(": ")
    return (name, details) if separator and name.isidentifier() else (error.get("Error", "Unknown"), message)
