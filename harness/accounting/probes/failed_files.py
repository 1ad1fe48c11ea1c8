"""Objects that are whole files which could not be processed, set aside under a prefix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.accounting.probes.objects import keys
from harness.accounting.record import Observation, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.clients import Clients


@dataclass(frozen=True, slots=True)
class FailedFilesProbe:
    """The metadata `upload` of an object says which upload it was: all its records are given up."""

    clients: Clients
    bucket: str
    prefix: str

    def observe(self) -> Iterator[Observation]:
        """One observation per object; one that names no upload is seen without an identity."""
        s3 = self.clients("s3")
        for key in keys(s3, self.bucket, self.prefix):
            upload = s3.head_object(Bucket=self.bucket, Key=key)["Metadata"].get("upload")
            yield Observation(Outcome.DEAD_LETTERED, f"s3://{self.bucket}/{key}", shard=upload)
