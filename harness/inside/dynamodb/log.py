"""The stream of a table: what each request has changed, one record per item.

Takes the place of moto's StreamShard, which writes two records for an update that creates an item, keeps the changes of a transaction that
failed, and writes images that the view type leaves out. The records are those of
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from harness.inside.dynamodb.destinations import has_any, send
from harness.inside.streams.log import RecordLog

if TYPE_CHECKING:
    from collections.abc import Iterator

RETENTION_S = 24 * 3600
_FIRST_NUMBER = 100_000_000_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class TableRecord:
    """One change of one item. `fields` is the member `dynamodb` of the record; `arrived_at_s` is seconds since the epoch."""

    event_id: str
    event_name: str
    fields: dict[str, Any]
    arrived_at_s: float

    @property
    def sequence_number(self) -> str:
        """Returns the sequence number."""
        return str(self.fields["SequenceNumber"])


@dataclass(slots=True)
class _Change:
    """What one request did to an item: its attributes before and after (None where there was no such item)."""

    old: dict[str, Any] | None
    new: dict[str, Any] | None


class TableLog(RecordLog[TableRecord]):
    """The only shard of a table's stream. Moto calls `add` for every item that it writes."""

    adjacent_parent = parent = None

    def __init__(self, account_id: str, table: Any) -> None:
        super().__init__()
        self.account_id = account_id
        self.table = table
        self.created_on = datetime.now(UTC)
        self.id = self.shard_id = f"shardId-{time.time_ns() // 1_000_000:020d}-{uuid4().hex[:8]}"

    def __deepcopy__(self, _memo: dict[int, Any]) -> TableLog:
        """Returns the log itself. Moto copies its tables before a transaction, and puts the copies in their place where it fails."""
        return self

    def add(self, old: Any, new: Any) -> None:
        """Notes that a request has written an item: moto's items before and after, either of which may be None."""
        item = new if new is not None else old
        if item is None or not (self._view_type or has_any(self.table)):
            return
        keys = {self.table.hash_key_attr: item.hash_key.to_json()}
        if self.table.range_key_attr is not None:
            keys[self.table.range_key_attr] = item.range_key.to_json()
        _requests.note(self, keys, _attributes(old), _attributes(new))

    @property
    def _view_type(self) -> str:
        return str((self.table.stream_specification or {}).get("StreamViewType") or "")

    def write(self, keys: dict[str, Any], old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        """Adds the record of a change that has taken place. A request that leaves an item as it was makes none."""
        if old == new:
            return
        name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        if has_any(self.table):
            images = {"NewImage": new, "OldImage": old}
            send(
                self.account_id,
                self.table,
                name,
                {"Keys": keys, **{key: image for key, image in images.items() if image is not None}},
            )
        if not self._view_type:
            return
        self.trim(time.time() - RETENTION_S)
        view = self._view_type
        fields: dict[str, Any] = {"Keys": keys}
        if new is not None and view in {"NEW_IMAGE", "NEW_AND_OLD_IMAGES"}:
            fields["NewImage"] = new
        if old is not None and view in {"OLD_IMAGE", "NEW_AND_OLD_IMAGES"}:
            fields["OldImage"] = old
        size = len(json.dumps(fields, default=str))

        def made(index: int, now_s: float) -> TableRecord:
            described = {
                "ApproximateCreationDateTime": float(int(now_s)),
                **fields,
                "SequenceNumber": str(_FIRST_NUMBER + index),
                "SizeBytes": size,
                "StreamViewType": view,
            }
            return TableRecord(uuid4().hex, name, described, now_s)

        self.put(made)

    def index_of(self, sequence_number: str) -> int:
        """Returns the index that a sequence number of this shard stands for. Raises ValueError for one that is not of this shard."""
        index = int(sequence_number) - _FIRST_NUMBER
        if not 0 <= index <= self.tip:
            raise ValueError(sequence_number)
        return index

    def to_json(self) -> dict[str, Any]:
        """Returns the shard as DescribeStream does."""
        return {"ShardId": self.id, "SequenceNumberRange": {"StartingSequenceNumber": str(_FIRST_NUMBER)}}


def _attributes(item: Any) -> dict[str, Any] | None:
    return None if item is None else json.loads(json.dumps(item.to_json()["Attributes"], default=_plain))


def _plain(value: Any) -> Any:
    return value.decode("ascii") if isinstance(value, bytes) else value.to_json() if hasattr(value, "to_json") else str(value)


class _Requests(threading.local):
    """The changes of the request that this thread serves, by log and keys."""

    def __init__(self) -> None:
        self.changes: dict[tuple[int, str], tuple[TableLog, dict[str, Any], _Change]] | None = None

    def note(self, log: TableLog, keys: dict[str, Any], old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        if self.changes is None:
            log.write(keys, old, new)
            return
        known = self.changes.setdefault((id(log), json.dumps(keys, sort_keys=True)), (log, keys, _Change(old, new)))
        known[2].new = new


_requests = _Requests()


@contextmanager
def one_request() -> Iterator[None]:
    """Writes what the block has changed when it ends, one record per item; nothing where it raises."""
    _requests.changes = {}
    try:
        yield
        for log, keys, change in _requests.changes.values():
            log.write(keys, change.old, change.new)
    finally:
        _requests.changes = None
