"""Gives a scenario's actors their turns: while the pipeline works, and once it is at rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.run.events import ActorActed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.parts.ports import Actor, Context


@dataclass
class _Acting:
    name: str
    steps: Iterator[str | None]
    acted: int = 0
    ended: bool = False

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
            yield ActorActed(self.name, step)


class Acting:
    """The actors of one run."""

    def __init__(self, actors: Sequence[Actor], context: Context) -> None:
        opened = [(actor.when, _Acting(actor.kind or actor.use.rpartition(":")[2], actor.open(context))) for actor in actors]
        self._meanwhile = [acting for when, acting in opened if when == "meanwhile"]
        self._at_rest = [acting for when, acting in opened if when == "at_rest"]

    def turn(self) -> Iterator[ActorActed]:
        """Gives each actor that acts meanwhile one turn."""
        for acting in self._meanwhile:
            yield from acting.turn()

    def at_rest(self) -> Iterator[ActorActed]:
        """Lets the other actors act, one after the other, until each has ended."""
        for acting in self._at_rest:
            while not acting.ended:
                yield from acting.turn()

    @property
    def needs_rest(self) -> bool:
        """Returns whether any actor waits for rest."""
        return bool(self._at_rest)

    def doubts(self) -> tuple[str, ...]:
        """Returns a reason per actor that did nothing: what it was to cause has not been tried."""
        idle = [acting.name for acting in (*self._meanwhile, *self._at_rest) if not acting.acted]
        return tuple(f"actor {name} had nothing to act on" for name in idle)
