"""Uploads: one version of one object in S3, as a notification names it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Upload:
    """`key` as S3 knows it. `version_id` is that of a versioned bucket: the same key put again is another upload."""

    bucket: str
    key: str
    version_id: str | None

    @property
    def id(self) -> str:
        """Names this upload among all of its bucket: key@version. ASCII, as the metadata of an object must be."""
        return f"{quote(self.key)}@{self.version_id}" if self.version_id else quote(self.key)

    @property
    def run(self) -> str:
        """Returns a name for the work on it: readable, fit for an execution and for a folder, and the same for every notification of this upload."""
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", self.key.rpartition("/")[2].rpartition(".")[0])[:40].strip("-")
        return f"{stem or 'file'}-{hashlib.sha256(f'{self.bucket}/{self.id}'.encode()).hexdigest()[:16]}"

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Upload:
        """From what `as_state` made."""
        return cls(state["bucket"], state["key"], state.get("versionId"))

    @property
    def as_state(self) -> dict[str, Any]:
        """Returns what state machines pass of it. Their states have room for 256 KiB: never rows."""
        return {"bucket": self.bucket, "key": self.key, "versionId": self.version_id, "upload": self.id, "run": self.run}

    def arguments(self) -> dict[str, str]:
        """Returns the arguments with which GetObject, CopyObject and the like name it."""
        named = {"Bucket": self.bucket, "Key": self.key}
        return {**named, "VersionId": self.version_id} if self.version_id else named


def uploads(event: Mapping[str, Any]) -> list[Upload]:
    """Returns the uploads of an S3 notification. Its keys are encoded as in a form: spaces as `+`.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html"""
    objects = [(record["s3"]["bucket"]["name"], record["s3"]["object"]) for record in event.get("Records", [])]
    return [Upload(bucket, unquote_plus(item["key"]), item.get("versionId")) for bucket, item in objects]
