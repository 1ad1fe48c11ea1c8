"""Where the work on one upload lies in the bucket: everything that travels between functions goes by reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.files.uploads import Upload


@dataclass(frozen=True, slots=True)
class Work:
    """One upload and its run."""

    upload: Upload

    @classmethod
    def of(cls, state: dict[str, Any]) -> Work:
        return cls(Upload.of(state))

    @property
    def stem(self) -> str:
        return self.upload.key.rpartition("/")[2].rpartition(".")[0] or "file"

    def part(self, step: str, chunk: int) -> str:
        """Returns the key of a chunk after a step. Sorted by key is sorted by number."""
        return f"{self.prefix(step)}{chunk:06d}"

    def prefix(self, step: str) -> str:
        return f"work/{self.upload.run}/{step}/"

    @property
    def kept(self) -> str:
        """Returns the key, below the folder for finished uploads, under which this upload alone is kept."""
        return f"{self.upload.run}/{self.upload.key.rpartition('/')[2]}"
