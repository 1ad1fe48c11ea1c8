"""Offering a load: every record is handed over at its time, and comes back with the answer that it got."""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import TYPE_CHECKING

from harness.parts.units import File, records

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from harness.accounting.ledger import Ledger
    from harness.parts.ports import Context, Ingress, Load
    from harness.parts.units import Offer, Unit
    from harness.run.coverage import Coverage
    from harness.run.share import Share

_OFFERS_PER_BATCH = 1000


def units(load: Load, ingress: Ingress) -> Iterator[Unit]:
    """Returns the units as this ingress takes them: the records of files are single ones, where it takes no files."""
    return iter(load.units()) if ingress.whole_files else records(load.units())


def offer_here(load: Load, ingress: Ingress, context: Context, ledger: Ledger, coverage: Coverage) -> Generator[None]:
    """Offers the load, and notes the answers. Yields after each batch."""
    with contextlib.closing(offer(units(load, ingress), ingress, context, coverage.file)) as offers:
        for batch in offers:
            for record, answer in batch:
                ledger.add(record, answer)
                coverage.record(record)
            yield


def offer(
    load: Iterator[Unit],
    ingress: Ingress,
    context: Context,
    offered: Callable[[File], None] = lambda _: None,
    share: Share | None = None,
) -> Generator[Sequence[Offer]]:
    """Yields the records of these units with their answers, a batch at a time, at the ingress's rate. `offered` hears of each file that is offered as one.

    Where the units are a `share` of the load, each is due when it would be in the whole load."""
    began = time.monotonic()
    number = 0
    with contextlib.closing(ingress.open(context)) as sender:
        size = sender.batch_size
        if ingress.rate.due_s(1) > 0:
            # Small batches where a rate is to be kept, so that it is kept evenly.
            size = max(1, size // 10 // (share.of if share else 1))
        while batch := tuple(itertools.islice(load, size)):
            for unit in batch:
                if isinstance(unit, File):
                    offered(unit)
            place = share.places[0] if share and share.places else number
            wait_s = ingress.rate.due_s(place) - (time.monotonic() - began)
            if wait_s > 0:
                time.sleep(wait_s)
            offers = iter(sender.send(batch))
            while some := list(itertools.islice(offers, _OFFERS_PER_BATCH)):
                number += len(some)
                yield some
