"""How far each part of an execution has come: a redrive goes on from there.

A part is the execution itself, a branch of a Parallel, an iteration of a Map, or a child of a Distributed Map. A redrive gives the output of a part that
has succeeded again, and goes on with the last state of every other one. Source:
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(slots=True)
class Part:
    """The state that a part has entered last, its input (a JSON value) and variables, and the parts which that state has, by their number."""

    state: str = ""
    input: Any = None
    variables: Any = None
    succeeded: bool = False
    output: Any = None
    parts: dict[int, Part] = field(default_factory=dict)
    map_run: Any = None
    """LocalStack's record of the Map Run, where the state is a Distributed Map."""
    is_redriven: bool = False
    """Whether a redrive goes on with this part, which has not begun again yet."""
    keeps_parts: bool = False
    """Whether the next attempt of the state goes on with its parts: the first one of a redrive does."""

    def enter(self, state: str, given: Any) -> None:
        """Notes that a state begins."""
        self.state, self.input = state, given
        self.keeps_parts, self.is_redriven = self.is_redriven, False

    def attempt(self) -> bool:
        """Notes that the state is attempted, for the first time or by a Retry. Returns whether it goes on with the parts that it has."""
        kept, self.keeps_parts = self.keeps_parts, False
        if not kept:
            self.parts, self.map_run = {}, None
        return kept

    def part(self, number: int) -> Part:
        """Returns a part of the state: a branch, an iteration or a child."""
        return self.parts.setdefault(number, Part())

    def succeed(self, output: Any) -> None:
        """Notes the output, and forgets what only a redrive would need."""
        self.succeeded, self.output = True, output
        self.input = self.variables = self.map_run = None
        self.parts = {}

    def redrive(self) -> None:
        """Lets this part and all within it go on when they are evaluated next."""
        self.is_redriven = bool(self.state) and not self.succeeded
        for part in self.parts.values():
            part.redrive()


def evaluate(original: Any, program: Any, env: Any) -> None:
    """Evaluates the states of a program as `original` does, from where its part has come to."""
    branch = getattr(program, "branch", None)
    if branch is not None:
        env.progress = env.progress.part(branch)
    part: Part = env.progress
    if part.succeeded:
        env.states.reset(part.output)
        env.set_ended()
        return
    if part.is_redriven:
        env.next_state_name, env.variable_store = part.state, part.variables
        env.states.reset(part.input)
    part.variables = env.variable_store
    original(program, env)
    if has_ended(env):
        part.succeed(env.states.get_input())


def has_ended(env: Any) -> bool:
    """Returns whether the program of an environment has come to its end, with success."""
    from localstack.services.stepfunctions.asl.eval.program_state import ProgramEnded  # noqa: PLC0415 - patched while it is imported

    return isinstance(env.program_state(), ProgramEnded)


def stop_frames(env: Any) -> None:
    """Stops the children or iterations of a Map that has failed. What they are doing is ended; their next states are not begun."""
    for frame in list(env._frames):  # noqa: SLF001 - there is no public way to them
        frame.set_stop(stop_date=datetime.now(UTC), cause=None, error=None)
