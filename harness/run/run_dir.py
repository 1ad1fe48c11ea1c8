"""The directory that a run leaves: runs/<UTC time>-<scenario>, and runs/latest."""

from __future__ import annotations

import contextlib
import os
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harness.documents import MISTYPED
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LONGEST_LINE = 200
PLAN = "plan.json"
"""What the run is, with the plan of its faults."""
FAULTS = "faults.json"
"""The plan of its faults, and what each of them met."""
REFUSED = "refused.txt"
"""Why a run was refused once its emulator was ready."""
LEDGER, OBSERVATIONS = "ledger.parquet", "observations.parquet"
"""What was offered, and what the probes saw."""
LOOKUP, SETUP = "lookup.parquet", "setup.parquet"
"""What was put besides the load: for the pipeline to look up, and by the scenario's `setup`."""


def put_besides(run_dir: Path) -> list[Path]:
    """Returns the tables of what a run has put besides its load."""
    return [path for name in (LOOKUP, SETUP) if (path := run_dir / name).is_file()]


def create_run_dir(out: Path, scenario: str, *, latest: bool = True) -> Path:
    """Returns a new directory below `out`, to which `runs/latest` then points unless told otherwise. Raises UsageError where none can be made."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    try:
        out.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            run_dir = out / (f"{stamp}-{scenario}" if number == 1 else f"{stamp}-{scenario}-{number}")
            try:
                # It holds the user's data.
                run_dir.mkdir(mode=0o700)
                break
            except FileExistsError:
                number += 1
    except OSError as error:
        message = f"--out {out}: no run directory can be made there: {error.strerror}"
        raise UsageError(message) from error
    if latest:
        point_latest_to(out, run_dir)
    return run_dir.resolve()


def latest(out: Path) -> Path | None:
    """Returns what `latest` points to; None where it points to nothing that is there."""
    link = out / "latest"
    return link.resolve() if link.is_dir() else None


def point_latest_to(out: Path, run_dir: Path | None) -> None:
    """Replaces the link in one step: two runs may start at once. None removes it. A file system without links goes without."""
    link = out / f".latest-{os.getpid()}"
    with contextlib.suppress(OSError):
        if run_dir is None:
            (out / "latest").unlink(missing_ok=True)
            return
        link.symlink_to(run_dir.name)
        link.replace(out / "latest")


def require_run(run_dir: Path) -> None:
    """Raises UsageError where there is no directory."""
    if not run_dir.is_dir():
        raise UsageError(
            f"{run_dir} is no directory of a run here: `pipeproof run SCENARIO` makes one below runs/, or name another one"
        )


@contextlib.contextmanager
def readable(run_dir: Path) -> Iterator[None]:
    """Turns whatever is wrong with the files of a run's directory into a UsageError: it may be another's, cut off, or changed by hand."""
    import duckdb  # noqa: PLC0415 - a run begins with its directory, and an import of these takes as long as all before it
    import pyarrow as pa  # noqa: PLC0415 - as above

    try:
        yield
    except (OSError, duckdb.Error, pa.ArrowException, *MISTYPED) as error:
        raise UsageError(f"{run_dir} cannot be read as the directory of a run: {_in_a_line(error)}") from error


def _in_a_line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error}"
    if isinstance(error, TypeError | AttributeError):
        return "something in it is of another type than it should be"
    # DuckDB shows its statement, too.
    return (str(error).splitlines() or [type(error).__name__])[0][:_LONGEST_LINE]


@contextlib.contextmanager
def kept_if_begun(out: Path, scenario: str) -> Iterator[Path]:
    """Yields a new directory below `out`. Removes it where the run is refused or interrupted in the block before it has a plan; `latest` is then again the run that it
    was before. A run that is refused once its emulator is ready keeps its directory (see `note_refusal`).

    Raises UsageError where none can be made."""
    existed, before = out.exists(), latest(out)
    run_dir = create_run_dir(out, scenario)
    try:
        yield run_dir
    except (UsageError, KeyboardInterrupt) as error:
        kept = REFUSED if isinstance(error, UsageError) else PLAN
        if not (run_dir / kept).exists():
            shutil.rmtree(run_dir, ignore_errors=True)
            point_latest_to(out, before)
            if not existed:
                with contextlib.suppress(OSError):
                    out.rmdir()
        raise


def note_refusal(run_dir: Path, error: UsageError) -> None:
    """Writes down why a run is refused: its directory has what the emulator said before, and is kept."""
    with contextlib.suppress(OSError):
        (run_dir / REFUSED).write_text(f"{error}\n", encoding="utf-8")
