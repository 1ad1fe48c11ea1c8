"""Record faults: a load whose records are spoilt, doubled or held back where the plan says so."""

from __future__ import annotations

import itertools
import random
from collections import Counter, deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from harness.parts.ports import COPY, DUPLICATE, LATE
from harness.parts.units import File, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.accounting.record import Record
    from harness.faults.plan import RecordFault
    from harness.parts.ports import Load, Malformer
    from harness.parts.units import Unit

_LATE_BY = 100
_ARRIVALS = {DUPLICATE, COPY, LATE}


class FaultyLoad:
    """A load with the faults. A fault's windows count the records of the load, in the files too."""

    def __init__(self, load: Load, faults: Sequence[RecordFault], malformers: Mapping[str, Malformer]) -> None:
        self.load = load
        self._malformers = malformers
        self._faults = [(fault, fault.window) for fault in faults]
        self._met: set[tuple[str, int]] = set()

    @property
    def total(self) -> int | None:
        """Returns how many records there are; None where a fault doubles some."""
        return None if any(fault.malform in {DUPLICATE, COPY} for fault, _ in self._faults) else self.load.total

    @property
    def classes(self) -> tuple[str, ...]:
        """Returns those of the load itself, and the ways of arrival that the faults make."""
        arrivals = {fault.malform: f"arrival: {fault.malform}" for fault, _ in self._faults if fault.malform in _ARRIVALS}
        return (*getattr(self.load, "classes", ()), *arrivals.values())

    @property
    def fired(self) -> Counter[str]:
        """Returns, per fault id, how many records it has met."""
        return Counter(fault_id for fault_id, _ in self._met)

    def units(self) -> Iterator[Unit]:
        """Yields the units with the faults. The records of a file stay in it, and single records may change their order."""
        self._met.clear()
        units = iter(self.load.units())
        number = 0
        for unit in units:
            if not isinstance(unit, File):
                # A load of single records has no files: the rest of it is one stream.
                yield from self._faulty(records(itertools.chain([unit], units)), number)
                return
            start = number
            number += sum(1 for _ in unit.records())
            yield unit if unit.itself else replace(unit, rows=partial(self._of_file, unit, start))

    def _of_file(self, file: File, start: int) -> Iterator[Record]:
        yield from self._faulty(file.rows(), start)

    def _faulty(self, of: Iterable[Record], start: int) -> Iterator[Record]:
        waiting: deque[tuple[int, Record]] = deque()
        for number, record in enumerate(of, start):
            while waiting and waiting[0][0] <= number:
                yield waiting.popleft()[1]
            # A spoilt record is left unchanged: a malformer needs a whole one.
            healthy = record.malformed is None
            fault = next((f for f, window in self._faults if healthy and window.holds(number, f.seed)), None)
            if fault is None:
                yield record
                continue
            self._met.add((fault.id, number))
            if fault.malform == LATE:
                waiting.append((number + _LATE_BY, _arriving(record, LATE)))
            elif fault.malform == COPY:
                yield _arriving(record, COPY)
                waiting.append(
                    (number + _LATE_BY, record._replace(promised=None, classes=(), filtered="a copy of an earlier record"))
                )
            elif fault.malform == DUPLICATE:
                yield _arriving(record, DUPLICATE)
                yield _arriving(record, DUPLICATE)
            else:
                rng = random.Random(f"{fault.seed}/{number}")
                payload = self._malformers[fault.malform](record.payload, rng)
                yield record._replace(payload=payload, promised=None, malformed=fault.malform, classes=(), filtered=None)
        yield from (record for _, record in waiting)


def _arriving(record: Record, how: str) -> Record:
    return record._replace(classes=(*record.classes, f"arrival: {how}"))
