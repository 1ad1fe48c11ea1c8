"""Chaos needs a plan that can happen: the load is run once without its faults, which tells how many events the address of each fault has.

The rehearsal uses the same emulator, and a separate AWS account."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.emulator.shared import Shared
from harness.errors import UnknownVerdictError
from harness.faults.chaos import possible
from harness.faults.plan import LambdaFault
from harness.run import events

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from harness.emulator.emulator import Description
    from harness.faults.plan import Fault, Plan
    from harness.run.state import Run

# No run has so many events: a fault that waits for this one counts those that come.
_NEVER = "1000000000"


def rehearse(
    run: Run, description: Description, conduct: Callable[[Run], Iterator[events.Event]]
) -> Generator[events.Event, None, Plan]:
    """Runs the recipe without the faults of its chaos, and returns the plan that the run itself is to meet.

    Raises UnknownVerdictError where none of the faults can happen."""
    chosen, others = run.recipe.chaos
    run_dir = run.run_dir / "rehearsal"
    run_dir.mkdir()
    counting = tuple(_counting(fault) for fault in (*chosen, *others))
    rehearsal = replace(
        run,
        recipe=replace(run.recipe, faults=counting, chaos=((), ())),
        emulator=Shared(run.emulator, description),
        run_dir=run_dir,
        account=_another(run.account),
        workers=1,
    )
    seen: dict[str, int] = {}
    try:
        for event in conduct(rehearsal):
            match event:
                case events.RunFinished():
                    seen = {fault["id"]: fault["seen"] or 0 for fault in event.faults}
                case events.DrainProgress() | events.LoadProgress():
                    yield event
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)
    plan = possible(chosen, others, seen)
    if not plan:
        raise UnknownVerdictError("chaos: this load makes none of the calls and invocations that its faults are for")
    return (*run.recipe.faults, *plan)


def _counting(fault: Fault) -> Fault:
    return fault.model_copy(update={"invocations" if isinstance(fault, LambdaFault) else "calls": _NEVER})


def _another(account: str) -> str:
    """Returns another account id, the same for the same one."""
    return f"{(int(account) + 5 * 10**11) % 10**12:012d}"
