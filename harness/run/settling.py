"""Waits until a pipeline on AWS is at rest, as far as AWS tells it: nothing that can be seen changes for a while (harness/aws/rest.py)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from harness.aws.rest import Watch, settle_time_s
from harness.run.drain import Rest
from harness.run.events import ActorActed, DrainProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harness.parts.ports import Context

_TELL_EVERY_S = 0.5
_LOOKS_IN_A_TIME = 20
_LONGEST_BETWEEN_S = 5.0
# What comes late, such as the content of a buffer, may make something else begin.
_TIMES = 4


def settle(
    context: Context, asked_s: float | None, timeout_s: float, turn: Callable[[], Iterable[ActorActed]] = lambda: ()
) -> Iterator[DrainProgress | ActorActed | Rest]:
    """Yields progress, and at the end a Rest. `asked_s` is for how long nothing must change; by default what the stack may need. `turn` lets actors act.

    What AWS does not answer is a doubt."""
    began = time.monotonic()
    try:
        settle_s = settle_time_s(context.clients, context.stack, asked_s)
        watch = Watch(context.clients, context.stack, context.started_at_s)
        since, told, marks = began, 0.0, None
        while True:
            yield from turn()
            seen = watch.look()
            now = time.monotonic()
            if seen.under_way or seen.marks != marks:
                since, marks = now, seen.marks
            if now - since >= settle_s:
                seen = watch.look(fresh=True)
                if seen.marks == marks and not seen.under_way:
                    yield Rest(known=True)
                    return
                since, marks = now, seen.marks
            under_way = ", ".join(f"{count:,} {what}" for what, count in seen.under_way.items())
            if now - began > timeout_s + _TIMES * settle_s:
                yield Rest(
                    known=False,
                    doubt=f"not at rest {now - began:.0f} s after the load: "
                    f"{under_way or f'something changed within the last {settle_s:g} s, in which nothing may'}",
                )
                return
            if now - told >= _TELL_EVERY_S:
                told = now
                quiet = f"nothing has changed for {now - since:.0f} of {settle_s:g} s"
                yield DrainProgress(under_way or quiet, now - began)
            time.sleep(min(_LONGEST_BETWEEN_S, settle_s / _LOOKS_IN_A_TIME))
    except (ClientError, BotoCoreError) as error:
        yield Rest(known=False, doubt=f"AWS does not say what is under way: {error}")
