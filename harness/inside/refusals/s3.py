"""S3: what is too much. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html and …/userguide/UsingMetadata.html"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

_MOST_KEYS, _MOST_METADATA_BYTES, _MOST_TAGS = 1000, 2048, 10
_EVENTS = frozenset({
    "s3:ReducedRedundancyLostObject", "s3:ObjectCreated", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload", "s3:ObjectRemoved", "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore", "s3:ObjectRestore:Post", "s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete", "s3:Replication",
    "s3:Replication:OperationFailedReplication", "s3:Replication:OperationNotTracked", "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationReplicatedAfterThreshold", "s3:LifecycleTransition", "s3:IntelligentTiering", "s3:ObjectAcl:Put",
    "s3:LifecycleExpiration", "s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated", "s3:ObjectTagging",
    "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete",
})  # fmt: skip


def _delete(request: Any) -> tuple[str, str] | None:
    if len((request.get("Delete") or {}).get("Objects") or ()) > _MOST_KEYS:
        return "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
    return None


def _put(request: Any) -> tuple[str, str] | None:
    size = sum(len(f"{name}{value}".encode()) for name, value in (request.get("Metadata") or {}).items())
    if size > _MOST_METADATA_BYTES:
        return (
            "MetadataTooLarge",
            f"Your metadata headers exceed the maximum allowed metadata size ({size} of {_MOST_METADATA_BYTES} bytes)",
        )
    if len(parse_qsl(request.get("Tagging") or "", keep_blank_values=True)) > _MOST_TAGS:
        return "BadRequest", f"Object tags cannot be greater than {_MOST_TAGS}"
    return None


def _tags(request: Any) -> tuple[str, str] | None:
    if len((request.get("Tagging") or {}).get("TagSet") or ()) > _MOST_TAGS:
        return "BadRequest", f"Object tags cannot be greater than {_MOST_TAGS}"
    return None


def _notifications(request: Any) -> tuple[str, str] | None:
    told = request.get("NotificationConfiguration") or {}
    for kind in ("QueueConfigurations", "TopicConfigurations", "LambdaFunctionConfigurations"):
        for one in told.get(kind) or ():
            for event in one.get("Events") or ():
                if event.removesuffix(":*") not in _EVENTS:
                    return "InvalidArgument", f"The event is not supported for notifications: {event}"
    return None


CHECKS = {
    "DeleteObjects": _delete,
    "PutObject": _put,
    "CreateMultipartUpload": _put,
    "PutObjectTagging": _tags,
    "PutBucketNotificationConfiguration": _notifications,
}
