"""The messages of a queue: a dead-letter queue, or a queue that stores. SNS's envelope is taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from harness.accounting.record import message_put
from harness.parts.ports import Context, Probe
from harness.parts.queues import read_messages
from harness.parts.reading import Reader, Reading, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.accounting.record import Observation


class Sqs(Reading, Probe):
    """Reads all messages of the queue `queue_url`, and leaves them there. To read a topic, subscribe a queue to it."""

    queue_url: str

    def open(self, context: Context) -> Iterator[Observation]:
        """Yields the sightings of all messages. A message in which no record is found is seen without an identity."""
        reader = Reader(self, context.clients)
        for seen in documents(context, self.queue_url):
            found = False
            for sighting in reader.sightings(seen):
                found = True
                yield sighting
            if not found:
                yield reader.unidentified(seen)

    def doubts(self, context: Context) -> Iterator[str]:
        """Yields a reason where the queue does not keep its messages for long enough."""
        return retention(context, self.queue_url)


def retention(context: Context, queue_url: str) -> Iterator[str]:
    """Yields a reason where a queue does not keep its messages for long enough."""
    name = "MessageRetentionPeriod"
    kept_s = int(context.clients("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])["Attributes"][name])
    if kept_s < context.kept_for_s:
        yield f"queue {queue_url.rsplit('/', 1)[-1]} keeps its messages for {kept_s:,} s only, less than kept_for_hours says"


def documents(context: Context, queue_url: str) -> Iterator[Seen]:
    """Yields each message: its JSON body (an empty object where it is not JSON), and its attributes around it."""
    place = f"queue {queue_url.rsplit('/', 1)[-1]}"
    for message in read_messages(context, queue_url):
        body = message["Body"]
        put_at = message_put(queue_url, body)
        document = _parsed(body)
        if isinstance(document, dict) and "TopicArn" in document and isinstance(document.get("Message"), str):
            body = document["Message"]
            document = _parsed(body)
        attributes = {name: value.get("StringValue") for name, value in message.get("MessageAttributes", {}).items()}
        yield Seen(document, place, {"message": {"body": body, "attributes": attributes}}, body.encode(), put_at=put_at)


def _parsed(body: str) -> Any:
    try:
        return from_json(body)
    except ValueError:
        return {}
