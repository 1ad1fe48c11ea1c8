"""/_pipeproof/batches?account=…: the order and the batches that a replay is to repeat. PUT sets them, GET tells which shards kept to them.

Streams are written by several callers at once, and a mapping takes whatever is there: a second run has other batches, and a fault meets
other records. Here a record waits until those before it are in the shard, and a mapping until its batch is complete. A wait that takes too
long ends the order of that shard: the pipeline does something else than in the run that is repeated.

The body is a list of {stream, shard, function, batches}; a batch is a list of digests (see `digest`), in the order of the shard.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localstack.http import Response, route

from harness.faults.carried import digest
from harness.inside.understood import understood

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from localstack.http import Request

    from harness.inside.kinesis.shard import IndexedShard

PATH = "/_pipeproof/batches"
_PATIENCE_S = 10.0


class Script:
    """What one shard is to repeat: the order of its records, and the batches of each function."""

    def __init__(self) -> None:
        self.batches: dict[str, list[list[str]]] = {}
        self.kept = True
        self._order: list[str] = []
        self._left: Counter[str] = Counter()
        self._next = 0
        self._changed = threading.Condition()

    def add(self, function: str, batches: Sequence[Sequence[str]]) -> None:
        """Adds the batches of a function. The function that gets the most records of the shard says in which order they come."""
        self.batches[function] = [list(batch) for batch in batches]
        order = [one for batch in batches for one in batch]
        if len(order) > len(self._order):
            self._order, self._left = order, Counter(order)

    @contextmanager
    def turn(self, data: bytes) -> Iterator[None]:
        """Waits until it is the turn of a record, and goes on to the next one when it is stored."""
        of_it = digest(data)
        with self._changed:
            if self.kept and self._left[of_it]:
                self._wait(lambda: not self._left[of_it] or self._order[self._next] == of_it)
            yield
            if self.kept and self._left[of_it]:
                self._left[of_it] -= 1
                self._next += 1
                self._changed.notify_all()

    def _wait(self, come: Callable[[], bool]) -> None:
        """Waits as long as others get their turn."""
        while self.kept and not come():
            at = self._next

            def moved(at: int = at) -> bool:
                return self._next != at or not self.kept

            if not self._changed.wait_for(moved, _PATIENCE_S):
                self.give_up()

    def give_up(self) -> None:
        """Ends the order of this shard."""
        with self._changed:
            self.kept = False
            self._changed.notify_all()

    def size_of(self, function: str, shard: IndexedShard, index: int, max_records: int, *, filters: bool = False) -> int | None:
        """Returns how many records from `index` on are the function's next batch; None where none is told (any more). Waits for them.
        `filters`: the mapping excludes records, which the batch does not have."""
        batches = self.batches.get(function)
        if not batches or not self.kept:
            return None
        wanted, done = batches[0], 0
        for count in range(1, max_records + 1):
            give_up_at = time.monotonic() + _PATIENCE_S
            while not shard.wait_for(index + count - 1, timeout_s=0.2):
                if time.monotonic() > give_up_at or not shard.is_open or not self.kept:
                    self.give_up()
                    return None
            # What a filter has excluded stands between the records of a batch.
            done += digest(shard.read(index + count - 1, 1, 1 << 30)[0].data) == wanted[done]
            if done == len(wanted):
                del batches[0]
                return count
        if filters and not done:
            # A whole batch of which a filter excludes every record.
            return max_records
        self.give_up()
        return None


_scripts: dict[str, dict[tuple[str, str], Script]] = {}


def of_shard(account: str, stream: str, shard_id: str) -> Script | None:
    """Returns what a shard is to repeat."""
    return _scripts.get(account, {}).get((stream, shard_id))


@route(PATH, methods=["PUT", "GET"])
@understood
def serve(request: Request) -> Response:
    """Answers {kept: shards that have kept to their order, given_up: those that have not}."""
    account = request.args.get("account", "")
    if request.method == "PUT":
        scripts: dict[tuple[str, str], Script] = {}
        for one in request.get_json():
            scripts.setdefault((one["stream"], one["shard"]), Script()).add(one["function"], one["batches"])
        _scripts[account] = scripts
    found = _scripts.get(account, {})
    kept = [f"{stream} {shard}" for (stream, shard), script in found.items() if script.kept]
    given_up = [f"{stream} {shard}" for (stream, shard), script in found.items() if not script.kept]
    return Response.for_json({"kept": kept, "given_up": given_up})
