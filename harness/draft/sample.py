"""Records of a sample file: CSV, JSON, NDJSON, or the event of a Lambda function as `sam local` takes it."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.documents import read_text
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_BYTES = 1 << 26
_MOST_RECORDS = 10_000


class Sample(NamedTuple):
    """The format of a file (events, ndjson, json or csv) and its records: objects, or rows of text. `list_key` is the name of a JSON file's list; None where the file is the
    list itself."""

    form: str
    records: list[dict[str, Any]]
    list_key: str | None = None


def read_sample(path: Path) -> Sample:
    """Returns what a file says. Raises UsageError where it cannot be read, or has no record."""
    text = read_text(path, "sample", _MOST_BYTES)
    if path.suffix.lower() in {".csv", ".tsv"}:
        form, found, list_key = "csv", _rows(text), None
    else:
        form, found, list_key = _documents(path, text)
    records = [one for one in found[:_MOST_RECORDS] if isinstance(one, dict) and one]
    if not records:
        raise UsageError(f"sample {path} has no record: expected rows of CSV below a header, or JSON objects")
    return Sample(form, records, list_key)


def _rows(text: str) -> list[dict[str, Any]]:
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        return [{str(name): value for name, value in row.items() if name is not None} for row in reader]
    except csv.Error:
        return []


def _documents(path: Path, text: str) -> tuple[str, list[Any], str | None]:
    try:
        document = json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return "ndjson", [json.loads(line) for line in lines], None
        except ValueError as error:
            raise UsageError(f"sample {path} is neither JSON nor JSON lines: {error}") from error
    if isinstance(document, list):
        return "json", document, None
    if within := list(payloads(document)):
        return "events", within, None
    # An object whose only value is a list of objects is a file of them.
    match list(document.items()) if isinstance(document, dict) else []:
        case [(str() as key, [dict(), *_] as elements)] if key != "Records" and all(isinstance(one, dict) for one in elements):
            return "json", elements, key
    return "events", [document], None


def payloads(event: Any) -> Iterator[Any]:
    """Yields what the services have put around: the bodies, messages and data of a Lambda event."""
    if not isinstance(event, dict):
        return
    records = event.get("Records")
    for record in records if isinstance(records, list) else ():
        if not isinstance(record, dict):
            continue
        data = (record.get("kinesis") or {}).get("data") if isinstance(record.get("kinesis"), dict) else None
        message = (record.get("Sns") or {}).get("Message") if isinstance(record.get("Sns"), dict) else None
        yield from _parsed(_decoded(data) if data is not None else message if message is not None else record.get("body"))
    if "httpMethod" in event or "requestContext" in event:
        yield from _parsed(event.get("body"))
    elif "detail" in event and "detail-type" in event:
        yield from _parsed(event["detail"])


def _decoded(data: Any) -> str:
    try:
        return base64.b64decode(str(data)).decode("utf-8", "replace")
    except ValueError:
        return ""


def _parsed(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, dict):
        yield value
