"""A shard's write throughput: 1,000 records and 1 MiB per second, as on AWS, where it is asked for.

Off by default: it depends on the clock, and a harness wants its disturbances planned. PIPEPROOF_KINESIS_THROUGHPUT=enforce
turns it on.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from harness.settings import settings

if TYPE_CHECKING:
    from harness.inside.kinesis.shard import IndexedShard

RECORDS_PER_S = 1000
BYTES_PER_S = 1024 * 1024


class ShardThroughput:
    """Counts, per shard, what came in during the current second."""

    def __init__(self, *, enforced: bool) -> None:
        self._enforced = enforced
        self._lock = threading.Lock()
        self._second: dict[int, tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))

    @classmethod
    def from_environment(cls) -> ShardThroughput:
        return cls(enforced=settings().kinesis_throughput == "enforce")

    @property
    def enforced(self) -> bool:
        """Returns whether shards take less than all."""
        return self._enforced

    def admits(self, shard: IndexedShard, size_bytes: int) -> bool:
        """Returns whether the shard takes one more record of this size in this second; counts it if so."""
        if not self._enforced:
            return True
        now = int(time.monotonic())
        with self._lock:
            second, records, size = self._second[id(shard)]
            if second != now:
                records = size = 0
            if records + 1 > RECORDS_PER_S or size + size_bytes > BYTES_PER_S:
                return False
            self._second[id(shard)] = (now, records + 1, size + size_bytes)
            return True
