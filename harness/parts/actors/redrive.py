"""Moves what a dead-letter queue holds back to where it is tried again, as an operator does once the fault is mended."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from harness.errors import UnknownVerdictError
from harness.parts.ports import Actor, Context
from harness.parts.redriving import Chosen, DeadLetterQueue, send

if TYPE_CHECKING:
    from collections.abc import Iterator


class Redrive(Actor):
    """Sends the messages that `queue_url` holds now to `to_queue_url`, with their attributes, and deletes what is taken there. `errors` names
    the errors of which letters are moved; without it all are."""

    queue_url: str
    to_queue_url: str
    errors: tuple[str, ...] = ()

    def open(self, context: Context) -> Iterator[str | None]:
        """Yields once per batch. Raises UnknownVerdictError where the target refuses a message, or another reader has some."""
        sqs = context.clients("sqs")
        chosen = Chosen(frozenset(self.errors))
        with closing(DeadLetterQueue(sqs, self.queue_url, context.check)) as queue:
            for batch in queue.batches():
                letters = [letter for letter in batch if chosen.has(letter)]
                sent, reason = send(sqs, self.to_queue_url, letters)
                if sent:
                    queue.delete(sent)
                    yield f"moved {len(sent)} messages back to {self.to_queue_url.rsplit('/', 1)[-1]}"
                if reason:
                    raise UnknownVerdictError(
                        f"redrive: {len(letters) - len(sent)} messages were refused by {self.to_queue_url}: {reason}"
                    )
            if queue.undeleted:
                raise UnknownVerdictError(f"redrive: {queue.undeleted} messages are in both queues: they could not be deleted")
            if queue.elsewhere > 0:
                raise UnknownVerdictError(f"redrive: another reader has {queue.elsewhere} messages of {self.queue_url}")
