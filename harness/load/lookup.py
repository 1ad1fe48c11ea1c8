"""Lookup data: what a pipeline finds in a DynamoDB table, put there before the load."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from harness.errors import UnknownVerdictError
from harness.load.senders.kinesis import ATTEMPTS, FIRST_DELAY_S, LAST_DELAY_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.emulator.clients import Clients

# BatchWriteItem: 25 items.
_ITEMS_PER_WRITE = 25
_CONCURRENT_WRITES = 4
_PER_ROUND = 5_000


def put_lookup(clients: Clients, table: str, items: Iterable[Mapping[str, str]]) -> Iterator[int]:
    """Writes the items, all of whose values are text; yields how many there are by now. Raises UnknownVerdictError where some are refused."""
    source, count = iter(items), 0
    with ThreadPoolExecutor(_CONCURRENT_WRITES, thread_name_prefix="lookup") as pool:
        while some := list(itertools.islice(source, _PER_ROUND)):
            batches = [some[start : start + _ITEMS_PER_WRITE] for start in range(0, len(some), _ITEMS_PER_WRITE)]
            list(pool.map(lambda batch: _write(clients, table, batch), batches))
            count += len(some)
            yield count


def _write(clients: Clients, table: str, items: Sequence[Mapping[str, str]]) -> None:
    left = [{"PutRequest": {"Item": {name: {"S": value} for name, value in item.items()}}} for item in items]
    delay_s = FIRST_DELAY_S
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(delay_s)
            delay_s = min(delay_s * 2, LAST_DELAY_S)
        left = clients("dynamodb").batch_write_item(RequestItems={table: left}).get("UnprocessedItems", {}).get(table, [])
        if not left:
            return
    message = f"{len(left)} items of the lookup data were not taken by table {table}"
    raise UnknownVerdictError(message)
