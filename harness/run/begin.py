"""How a run begins: with its directory, and with its emulator, which starts while the command still reads what it needs itself."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.emulator.choose import choose_emulator
from harness.emulator.embedded import Embedded
from harness.interrupts import clean_up
from harness.run.run_dir import kept_if_begun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.aws.account import Aws
    from harness.emulator.emulator import Emulator


@dataclass(frozen=True, slots=True)
class Begun:
    """The directory of a run, its emulator, and a sentence that says which emulator it is and why."""

    run_dir: Path
    emulator: Emulator
    why: str


@contextlib.contextmanager
def begun(name: str, wanted: str, out: Path, *, allow_remote: bool = False, aws: Aws | None = None) -> Iterator[Begun]:
    """Makes the directory of a run of this scenario below `out`, and launches the emulator; with `aws` the run is there. At the end of the block the emulator is stopped.

    Raises UsageError where the emulator cannot be had, or no directory can be made. A run that is refused in the block leaves no directory."""
    if aws is None:
        choose_emulator(wanted, Path(os.devnull), allow_remote=allow_remote)
    clean_up()
    with kept_if_begun(out, name) as run_dir:
        if aws is not None:
            yield Begun(run_dir, aws, "AWS (--target aws)")
            return
        emulator, why = choose_emulator(wanted, run_dir / "emulator.log", allow_remote=allow_remote)
        try:
            if isinstance(emulator, Embedded):
                emulator.launch()
            yield Begun(run_dir, emulator, why)
        finally:
            emulator.stop()
