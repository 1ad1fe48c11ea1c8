"""What pipeproof notes about one AWS call, on LocalStack's request context."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from localstack.aws.api import RequestContext

    from harness.inside.faults.armed import ArmedFault
    from harness.inside.writes import Line


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be done once the call has been executed: answer for the failed entries of the whole request, or lose the answer."""

    event: ArmedFault
    log: Callable[[], None]
    request: dict[str, object] | None = None
    failed: tuple[int, ...] = ()


@dataclass(slots=True)
class Call:
    """`signed`: it has an Authorization header. `counted`: a gauge counts the call. `addressed`: a fault is addressed to calls like this one. `began_ms`: since
    the epoch, when its journal or the faults were asked. `refused`: a fault ended it before it was executed. `rewritten`: a partial fault has taken entries
    out of the request, but not out of its bytes. `through`: the faults that are over once this call gets through. `write`: in
    a replay, where it has its turn."""

    signed: bool = False
    counted: bool = False
    addressed: bool = False
    began_ms: float = 0.0
    refused: bool = False
    rewritten: bool = False
    through: list[ArmedFault] = field(default_factory=list)
    planned: Planned | None = None
    write: Line | None = None


def of(context: RequestContext) -> Call:
    """Returns the notes of a call; makes them where there are none yet."""
    call: Call | None = getattr(context, "pipeproof", None)
    if call is None:
        call = context.pipeproof = Call()
    return call
