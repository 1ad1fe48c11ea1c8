"""How far each event source mapping has read, by the mapping's UUID: it outlives a mapping that is disabled, enabled or updated."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from localstack.services.lambda_.invocation.models import lambda_stores


@dataclass
class Window:
    """A tumbling window that is open: seconds since the epoch, and what the function last returned as its state."""

    start_s: int
    end_s: int
    state: dict[str, Any] = field(default_factory=dict)


@dataclass
class Place:
    """Where a consumer stands: `index` of the first record that is not done with. `reading` is held by the consumer that is at work, so that
    the one after an update waits for the last batch of the one before it."""

    index: int
    reading: threading.Lock = field(default_factory=threading.Lock)
    window: Window | None = None


class Checkpoints:
    """The places of one mapping, by shard id and lane (a shard has ParallelizationFactor lanes), and the shards that are read to their end."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, int], Place] = {}
        self._lock = threading.Lock()
        self.done: set[str] = set()

    def place(self, shard_id: str, lane: int, start: int) -> Place:
        """Returns the place of a lane. A new lane begins where the lanes before it stood, else at `start`."""
        with self._lock:
            if (shard_id, lane) not in self._places:
                others = [place.index for (of, _), place in self._places.items() if of == shard_id]
                self._places[shard_id, lane] = Place(min(others, default=start))
            return self._places[shard_id, lane]

    def forget_lanes(self, shard_id: str, factor: int) -> None:
        """Lets the lanes that a smaller ParallelizationFactor has no more give their place to the others."""
        with self._lock:
            gone = [key for key in self._places if key[0] == shard_id and key[1] >= factor]
            if gone:
                first = min(place.index for (of, _), place in self._places.items() if of == shard_id)
                for key in gone:
                    del self._places[key]
                for (of, _), place in self._places.items():
                    if of == shard_id:
                        place.index = first

    def of(self, shard_id: str) -> list[Place]:
        """Returns the places of a shard's lanes."""
        with self._lock:
            return [place for (of, _), place in self._places.items() if of == shard_id]


OUTLIVING: set[str] = set()
"""What else has checkpoints than event source mappings: the ARNs of pipes."""

_all: dict[str, Checkpoints] = {}
_lock = threading.Lock()


def of_mapping(uuid: str) -> Checkpoints:
    """Returns the checkpoints of a mapping, and forgets those of the mappings that were deleted."""
    with _lock:
        known = {
            uuid,
            *OUTLIVING,
            *(key for _, _, store in lambda_stores.iter_stores() for key in list(store.event_source_mappings)),
        }
        for gone in _all.keys() - known:
            del _all[gone]
        return _all.setdefault(uuid, Checkpoints())
