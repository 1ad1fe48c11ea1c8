"""What every sender offers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.accounting.record import Answer, Record


class Sender(Protocol):
    """Hands over up to `batch_size` records at a time."""

    @property
    def batch_size(self) -> int: ...

    def send(self, records: Sequence[Record]) -> list[Answer]:
        """One answer for each record, in their order. Never raises for what the first hop does: an error that leaves open whether a
        record was taken is an indeterminate answer, and is not tried again, as that could offer the record twice."""
        ...

    def close(self) -> None: ...


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
