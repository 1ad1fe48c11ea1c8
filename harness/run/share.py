"""The share that one of several workers has of a load."""

from __future__ import annotations

import zlib
from collections import deque
from typing import TYPE_CHECKING

from harness.accounting.ledger import Fingerprint
from harness.parts.units import File

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.parts.units import Unit


_GROUP = 128


class Share:
    """Of all units those whose key falls to worker `number` of `of`, from 0; a file's key is its name. One key has one worker, which keeps its order.

    `places` has the places in the whole load of those records that were yielded and not yet taken from it, `fingerprint` the hash of the whole load once all is yielded."""

    def __init__(self, units: Iterable[Unit], number: int, of: int) -> None:
        self.places: deque[int] = deque()
        self.fingerprint = Fingerprint()
        self.of = of
        self._units = units
        self._number = number

    def units(self) -> Iterator[Unit]:
        """Yields the units of the share, in the order of the load."""
        end = 0
        for unit in self._units:
            first = end
            for record in unit.records() if isinstance(unit, File) else (unit,):
                self.fingerprint.add(record)
                end += 1
            # The group of a FIFO queue has no more of it.
            key = unit.name if isinstance(unit, File) else unit.key[:_GROUP]
            if zlib.crc32(key.encode("utf-8", "surrogatepass")) % self.of == self._number:
                self.places.extend(range(first, end))
                yield unit
