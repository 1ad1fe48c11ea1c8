"""Which classes of a source's inputs the load has had (harness/parts/variety.py), and which it has not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.run import events

if TYPE_CHECKING:
    from harness.accounting.record import Record
    from harness.parts.ports import Load
    from harness.parts.units import File

_MALFORMED = "malformed: "


class Coverage:
    """Counts the healthy records and the files of each class, and the malformed records of each kind."""

    def __init__(self, load: Load) -> None:
        self._classes: tuple[str, ...] = getattr(load, "classes", ())
        self._records: Counter[tuple[str, ...]] = Counter()
        self._malformed: Counter[str] = Counter()
        self._files: Counter[tuple[str, ...]] = Counter()
        self._offered = 0

    def record(self, record: Record) -> None:
        """Counts a record that is offered."""
        self._offered += 1
        if record.malformed is not None:
            self._malformed[record.malformed] += 1
        elif record.classes:
            self._records[record.classes] += 1

    def file(self, file: File) -> None:
        """Counts a file that is offered as one."""
        self._files[file.classes] += 1

    def result(self) -> events.Classes:
        """Returns what was had of the source's classes so far."""
        counts: Counter[str] = Counter({f"{_MALFORMED}{kind}": count for kind, count in self._malformed.items()})
        for counted in (self._records, self._files):
            for labels, count in counted.items():
                for label in labels:
                    counts[label] += count
        missing = tuple(one for one in self._classes if not counts[one])
        volume = {"records": self._offered, "files": self._files.total()}
        return events.Classes({one: counts[one] for one in self._classes if counts[one]}, missing, self._too_small(missing), volume)

    def _too_small(self, missing: tuple[str, ...]) -> str:
        """Returns a note where kinds of malformed records were asked for and none came."""
        asked = [one for one in self._classes if one.startswith(_MALFORMED)]
        absent = [one.removeprefix(_MALFORMED) for one in missing if one.startswith(_MALFORMED)]
        if not absent:
            return ""
        return (
            f"the load is too small for the malformed records that are asked for: it has {self._malformed.total():,} of them for "
            f"{len(asked)} kinds; these kinds are missing: {', '.join(absent)}"
        )
