"""Lookup data: what a pipeline finds in a DynamoDB table. The harness writes it there before the load."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from harness.accounting.record import item_put
from harness.accounting.tables import TableWriter
from harness.backoff import TryAgainError, attempts
from harness.errors import UnknownVerdictError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.emulator.clients import Clients

LOOKUP_SCHEMA = pa.schema([("put_at", pa.string())])
# BatchWriteItem takes 25 items.
_ITEMS_PER_WRITE = 25
_CONCURRENT_WRITES = 4
_PER_ROUND = 5_000


def put_lookup(clients: Clients, table: str, items: Iterable[Mapping[str, str]], note: Path) -> Iterator[int]:
    """Writes the items, all of whose values are text, and yields how many are written by now. The Parquet file `note` takes what was put
    (see `item_put`): a probe that sees it there sees nothing of the pipeline.

    Raises UnknownVerdictError where the table refuses some."""
    source, count = iter(items), 0
    with (
        TableWriter(note, LOOKUP_SCHEMA) as noted,
        ThreadPoolExecutor(_CONCURRENT_WRITES, thread_name_prefix="lookup") as pool,
    ):
        while some := list(itertools.islice(source, _PER_ROUND)):
            batches = [some[start : start + _ITEMS_PER_WRITE] for start in range(0, len(some), _ITEMS_PER_WRITE)]
            list(pool.map(lambda batch: _write(clients, table, batch), batches))
            for item in some:
                noted.add((item_put(table, _typed(item)),))
            count += len(some)
            yield count


def _write(clients: Clients, table: str, items: Sequence[Mapping[str, str]]) -> None:
    left: list[dict[str, Any]] = [{"PutRequest": {"Item": _typed(item)}} for item in items]
    try:
        for attempt in attempts():
            with attempt:
                _attempt(clients, table, left)
    except TryAgainError as error:
        raise UnknownVerdictError(error.reason) from error


def _typed(item: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in item.items()}


def _attempt(clients: Clients, table: str, items: list[dict[str, Any]]) -> None:
    """Makes one request. Raises TryAgainError, and leaves in `items` what the table did not take."""
    items[:] = clients("dynamodb").batch_write_item(RequestItems={table: items}).get("UnprocessedItems", {}).get(table, [])
    if items:
        raise TryAgainError(f"{len(items)} items of the lookup data were not taken by table {table}")
