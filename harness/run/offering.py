"""Offering a load: every record is handed over at its time, and comes back with the answer that it got."""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import TYPE_CHECKING

from harness.parts.units import File, records

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from harness.parts.ports import Context, Ingress, Load
    from harness.parts.units import Offer, Unit

_OFFERS_PER_BATCH = 1000


def offer(
    load: Load, ingress: Ingress, context: Context, offered: Callable[[File], None] = lambda _: None
) -> Generator[Sequence[Offer]]:
    """Yields the records with their answers, a batch at a time, at the ingress's rate. `offered` hears of each file that is offered as one."""
    began = time.monotonic()
    number = 0
    with contextlib.closing(ingress.open(context)) as sender:
        # Small batches where a rate is to be kept, so that it is kept evenly.
        size = sender.batch_size if ingress.rate.due_s(1) == 0 else max(1, sender.batch_size // 10)
        units: Iterator[Unit] = iter(load.units()) if ingress.whole_files else records(load.units())
        while batch := tuple(itertools.islice(units, size)):
            for unit in batch:
                if isinstance(unit, File):
                    offered(unit)
            wait_s = ingress.rate.due_s(number) - (time.monotonic() - began)
            if wait_s > 0:
                time.sleep(wait_s)
            offers = iter(sender.send(batch))
            while some := list(itertools.islice(offers, _OFFERS_PER_BATCH)):
                number += len(some)
                yield some
