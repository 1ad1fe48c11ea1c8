"""A queue of alerts. An alert is an outcome for the records that it names; an alarm on a number names none and is only a sign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from harness.parts.part import NotEmpty
from harness.parts.ports import Context, Probe
from harness.parts.probes.sqs import documents, retention
from harness.parts.reading import Reader, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.accounting.record import Observation


class Alerts(Probe):
    """Reads all messages of the queue `queue_url`. Each of `names` is a way in which an alert may name records."""

    queue_url: str
    names: Annotated[tuple[Reading, ...], NotEmpty]

    def open(self, context: Context) -> Iterator[Observation]:
        """Yields one sighting per record that a message names; none for a message that names no record."""
        alerted = [reading.model_copy(update={"outcome": "alerted"}) for reading in self.names]
        readers = [Reader(reading, context.clients) for reading in alerted]
        for seen in documents(context, self.queue_url):
            for reader in readers:
                yield from (sighting for sighting in reader.sightings(seen) if _names_a_record(sighting))

    def doubts(self, context: Context) -> Iterator[str]:
        """Yields a reason where the queue does not keep its messages for long enough."""
        return retention(context, self.queue_url)


def _names_a_record(sighting: Observation) -> bool:
    """Returns whether the sighting says of which record or upload it is."""
    return bool(sighting.record_id or sighting.shard or sighting.payload_hash)
