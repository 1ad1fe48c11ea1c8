"""What every probe offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.accounting.record import Observation


class Probe(Protocol):
    """Reads its place once, after the drain."""

    def observe(self) -> Iterator[Observation]:
        """Yields every sighting there. What cannot be identified is yielded too: it is a phantom."""
        ...
