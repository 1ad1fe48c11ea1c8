"""Gives a scenario's actors their turns: while the pipeline works, and once it is at rest."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import UnknownVerdictError
from harness.parts.ports import Deed
from harness.run.events import ActorActed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.parts.ports import Actor, Context


@dataclass
class _Acting:
    name: str
    steps: Iterator[str | Deed | None]
    entries: tuple[str, ...] = ()
    acted: int = 0
    ended: bool = False
    # Per entry of its plan the deed that was refused last; None once one was taken.
    refused: dict[str, str | None] = field(default_factory=dict)

    def turn(self) -> Iterator[ActorActed]:
        """Lets the actor act once."""
        if self.ended:
            return
        try:
            step = next(self.steps)
        except StopIteration:
            self.ended = True
            return
        if step is not None:
            self.acted += 1
            if isinstance(step, Deed):
                self._note(step)
                step = step.text
            yield ActorActed(self.name, step)

    def _note(self, deed: Deed) -> None:
        if not deed.refused:
            self.refused[deed.entry] = None
        elif deed.entry not in self.refused or self.refused[deed.entry]:
            self.refused[deed.entry] = deed.text


def name_of(actor: Actor) -> str:
    """Returns the actor's kind, or its class where it is a user's own."""
    return actor.kind or type(actor).__name__


class Acting:
    """The actors of one run."""

    def __init__(self, actors: Sequence[Actor], context: Context) -> None:
        opened = [(actor.when, _Acting(name_of(actor), actor.open(context), tuple(actor.entries()))) for actor in actors]
        self._meanwhile = [acting for when, acting in opened if when == "meanwhile"]
        self._at_rest = [acting for when, acting in opened if when == "at_rest"]

    def turn(self) -> Iterator[ActorActed]:
        """Gives each actor that acts meanwhile one turn."""
        for acting in self._meanwhile:
            yield from acting.turn()

    def at_rest(self, check: Callable[[], None], timeout_s: float) -> Iterator[ActorActed]:
        """Lets the other actors act, one after the other, until each has ended or has nothing to do. `check` raises where the emulator is gone.

        Raises UnknownVerdictError for an actor that goes on for longer than `timeout_s`."""
        for acting in self._at_rest:
            deadline = time.monotonic() + timeout_s
            while not acting.ended:
                check()
                if time.monotonic() > deadline:
                    raise UnknownVerdictError(f"actor {acting.name} was not done within {timeout_s:g} s")
                acted = list(acting.turn())
                if not acted:
                    break
                yield from acted

    @property
    def needs_rest(self) -> bool:
        """Returns whether any actor waits for rest."""
        return bool(self._at_rest)

    def doubts(self) -> tuple[str, ...]:
        """Returns a reason per actor that did nothing, and per entry of a plan that had no deed, or of which all were refused."""
        every = (*self._meanwhile, *self._at_rest)
        idle = [f"actor {acting.name} had nothing to act on" for acting in every if not acting.acted]
        refused = [
            f"actor {acting.name}, {entry}: all that it did was refused or came too late, such as: {text}"
            for acting in every
            for entry, text in acting.refused.items()
            if text
        ]
        untried = [
            f"actor {acting.name}, {entry}: it had nothing to act on"
            for acting in every
            for entry in acting.entries
            if acting.acted and entry not in acting.refused
        ]
        return (*idle, *untried, *refused)
