"""What a call in a run's journal has put into a table or a bucket, or taken away there, and where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.documents import MISTYPED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ITEMS = {
    "dynamodb.PutItem": "PutRequest",
    "dynamodb.DeleteItem": "DeleteRequest",
    "dynamodb.BatchWriteItem": "",
    "dynamodb.TransactWriteItems": "",
}
_OBJECTS = frozenset({"s3.PutObject", "s3.DeleteObject"})
_CALLS = _OBJECTS | _ITEMS.keys()
_PUTS = frozenset({"PutRequest", "Put"})
# The journal keeps 16 MiB of a body: of a longer one it is not known what is in it.
_MOST_CHARACTERS = 4 << 20


class Write(NamedTuple):
    """An object or an item that was written. `text` is what is in it now; None where it was deleted. `key` stands in the line of each other call that writes it."""

    place: str
    text: str | None
    key: str


def writes(entry: Mapping[str, Any], line: str) -> list[Write]:
    """Returns what a call has written: none where it failed. `line` is that of the journal, with the contents."""
    if entry["kind"] != "call" or entry["call"] not in _CALLS or not 200 <= entry["status"] < 300:
        return []
    try:
        contents = json.loads(line)
        if entry["call"] in _OBJECTS:
            text = contents["body"] if entry["call"] == "s3.PutObject" else None
            if len(text or "") > _MOST_CHARACTERS:
                return []
            return [Write(f"s3://{entry['put']}", text, entry["put"].partition("/")[2])] if entry.get("put") else []
        return list(_items(entry["call"], json.loads(contents["carried"]), entry.get("keys") or {}))
    except MISTYPED:
        # More than the journal keeps of a request.
        return []


def _items(call: str, request: Mapping[str, Any], keys: Mapping[str, Sequence[str]]) -> Iterator[Write]:
    """`keys` has the names of a table's key attributes."""
    for table, kind, change in _changes(call, request):
        item = change.get("Item") or change.get("Key")
        names = keys.get(table)
        if names and item:
            key = {name: item[name] for name in names}
            longest = max(key, key=lambda name: len(json.dumps(key[name])))
            # As it stands within the text of a request.
            shown = json.dumps(json.dumps({longest: key[longest]}, ensure_ascii=False)[1:-1], ensure_ascii=False)[1:-1]
            text = json.dumps(item, ensure_ascii=False) if kind in _PUTS else None
            yield Write(f"{table} {json.dumps(key, sort_keys=True)}", text, shown)


def _changes(call: str, request: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yields the table, the kind and the rest of each change that a request makes; of those that change a part of an item, none."""
    if kind := _ITEMS[call]:
        yield request["TableName"], kind, request
    for table, changes in (request.get("RequestItems") or {}).items():
        yield from ((table, kind, change) for one in changes for kind, change in one.items())
    for one in request.get("TransactItems") or ():
        yield from ((change["TableName"], kind, change) for kind, change in one.items() if kind in {"Put", "Delete"})
