"""The ledger of several processes. Each process writes a part, and `join` makes the ledger of the parts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.accounting.engines import of_duckdb
from harness.errors import UnknownVerdictError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.accounting.engines import Engine
    from harness.accounting.record import Status


class JoinedLedger:
    """What `Ledger` is to one process; `parts` are the files to write. `heard` takes how many records of a part had each answer so far."""

    def __init__(self, path: Path, parts: int) -> None:
        self.path = path
        self.parts = [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(parts)]
        self.fingerprint = ""
        self._counts: list[Mapping[Status, int]] = [{}] * parts
        self._whole = False

    @property
    def counts(self) -> Counter[Status]:
        """Returns how many records had each answer, as far as the parts have told."""
        total: Counter[Status] = Counter()
        for counts in self._counts:
            total.update(counts)
        return total

    @property
    def offered(self) -> int:
        """Returns how many records were answered for, as far as the parts have told."""
        return self.counts.total()

    def heard(self, part: int, counts: Mapping[Status, int]) -> None:
        self._counts[part] = counts

    def join(self, records: int, fingerprint: str) -> None:
        """Makes the ledger of a load with so many records and this hash, and removes the parts. Raises UnknownVerdictError where they do not have each record exactly once."""
        self._whole = True
        of_duckdb.run(self.path.parent, lambda engine: _join(engine, self.parts, self.path, records), records)
        self._remove_parts()
        self.fingerprint = fingerprint

    def close(self) -> None:
        """Removes the parts of a load that broke off: their files have no end, and cannot be read."""
        if not self._whole:
            self._remove_parts()

    def _remove_parts(self) -> None:
        for part in self.parts:
            part.unlink(missing_ok=True)


def _join(engine: Engine, parts: Sequence[Path], path: Path, records: int) -> None:
    engine.read("parts", parts, {})
    [(rows, numbers, first, last)] = engine.rows('SELECT count(*), count(DISTINCT "index"), min("index"), max("index") FROM parts')
    if (rows, numbers, first or 0, -1 if last is None else last) != (records, records, 0, records - 1):
        raise UnknownVerdictError(
            f"the parts of the ledger have {rows:,} rows for {numbers:,} of the {records:,} records of the load: it cannot be said what was offered"
        )
    unfinished = path.with_suffix(".part")
    engine.write('SELECT * FROM parts ORDER BY "index"', unfinished)
    unfinished.replace(path)
