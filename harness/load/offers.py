"""Offering a load: every record of a source, handed over at its time, with the answer that it got."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from harness.accounting.record import Answer, Record

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from harness.load.files import FileSource
    from harness.load.rate import RateShape
    from harness.load.senders.s3 import S3Sender
    from harness.load.senders.sender import Sender
    from harness.load.source import Source

Offer = tuple[Record, Answer]

_ROWS_PER_BATCH = 1000


def offer(source: Source, sender: Sender, rate: RateShape) -> Generator[Sequence[Offer]]:
    """Single records, at the rate; a batch at a time."""
    began = time.monotonic()
    # Small batches where a rate is to be kept, so that it is kept evenly.
    size = sender.batch_size if rate.due_s(1) == 0 else max(1, sender.batch_size // 10)
    records = iter(source)
    try:
        while batch := tuple(itertools.islice(records, size)):
            wait_s = rate.due_s(batch[0].number) - (time.monotonic() - began)
            if wait_s > 0:
                time.sleep(wait_s)
            yield list(zip(batch, sender.send(batch), strict=True))
    finally:
        sender.close()


def offer_files(source: FileSource, sender: S3Sender) -> Generator[Sequence[Offer]]:
    """Files, one after the other; their rows with their file's answer, a batch at a time."""
    offers = sender.send(source)
    while batch := list(itertools.islice(offers, _ROWS_PER_BATCH)):
        yield batch
