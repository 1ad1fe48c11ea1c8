"""Record faults: a source whose records are spoilt, doubled or held back where the plan says so."""

from __future__ import annotations

import random
from collections import Counter, deque
from typing import TYPE_CHECKING

from harness.load.malformed import MALFORMERS
from harness.load.malformed_csv import CSV_MALFORMERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.accounting.record import Record
    from harness.faults.plan import RecordFault
    from harness.load.files import FileSource, Frame
    from harness.load.source import Source

DUPLICATE, LATE = "duplicate", "late"
RECORD_FAULTS = (*MALFORMERS, DUPLICATE, LATE)
"""The malformers; `duplicate` (offered twice: two records with one id, both to be stored); `late` (out of order, behind the next 100)."""

SCHEMA_FREE = ("bad_json", "truncated", "invalid_utf8", "bom", "oversize", "empty", DUPLICATE, LATE)
"""Those that need not know the fields: for a person's own file."""

ROW_FAULTS = (*CSV_MALFORMERS, DUPLICATE)
"""Those for the rows of CSV files."""

_LATE_BY = 100


class FaultySource:
    """`source` with the faults; `fired` counts, per fault id, the records met in the last iteration that was begun."""

    def __init__(
        self,
        source: Source,
        faults: Sequence[RecordFault],
        malformers: Mapping[str, Callable[[bytes, random.Random], bytes]] = MALFORMERS,
    ) -> None:
        self._source = source
        self._malformers = malformers
        self._faults = [(fault, fault.window) for fault in faults]
        self.fired: Counter[str] = Counter()

    @property
    def total(self) -> int | None:
        # A record that is offered twice is two; how many, nobody knows beforehand.
        return None if any(fault.malform == DUPLICATE for fault, _ in self._faults) else self._source.total

    def __iter__(self) -> Iterator[Record]:
        fired = self.fired = Counter()
        for number, record in enumerate(self._disordered(fired)):
            yield record._replace(number=number)

    def _disordered(self, fired: Counter[str]) -> Iterator[Record]:
        waiting: deque[tuple[int, Record]] = deque()
        for record in self._source:
            while waiting and waiting[0][0] <= record.number:
                yield waiting.popleft()[1]
            # One that is spoilt already is left as it is: a malformer wants a whole one.
            healthy = record.malformed is None
            fault = next((f for f, window in self._faults if healthy and window.holds(record.number, f.seed)), None)
            if fault is None:
                yield record
                continue
            fired[fault.id] += 1
            if fault.malform == LATE:
                waiting.append((record.number + _LATE_BY, record))
            elif fault.malform == DUPLICATE:
                yield record
                yield record
            else:
                rng = random.Random(f"{fault.seed}/{record.number}")
                yield record._replace(
                    payload=self._malformers[fault.malform](record.payload, rng), promised=None, malformed=fault.malform
                )
        yield from (record for _, record in waiting)


class FaultyFiles(FaultySource):
    """The same for the records of files."""

    def __init__(
        self,
        source: FileSource,
        faults: Sequence[RecordFault],
        malformers: Mapping[str, Callable[[bytes, random.Random], bytes]] = CSV_MALFORMERS,
    ) -> None:
        super().__init__(source, faults, malformers)
        self._files = source

    def frame(self, name: str) -> Frame:
        """See FileSource."""
        return self._files.frame(name)

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """See FileSource."""
        return self._files.lookup()
