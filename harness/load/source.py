"""What every source of records offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.accounting.record import Record


class Source(Protocol):
    """Yields the same records every time it is iterated over. `total` is None where it is not known beforehand."""

    @property
    def total(self) -> int | None: ...

    def __iter__(self) -> Iterator[Record]: ...
