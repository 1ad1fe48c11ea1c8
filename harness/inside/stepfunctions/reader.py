"""What an ItemReader reads from S3: arrays of JSON, lines of JSON, CSV, Parquet, inventories, and listings of all pages; gzip too.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping

_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


class UnreadableItemsError(ValueError):
    """An object that does not hold what the reader's input type says."""


def items_of(body: bytes, input_type: str, config: Mapping[str, Any], delimiter: str = "COMMA") -> list[Any]:
    """Returns the items of an object. `config` has CSVHeaderLocation (FIRST_ROW or GIVEN) and CSVHeaders.

    Raises UnreadableItemsError where the object is something else."""
    if body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    try:
        match input_type:
            case "JSON":
                items = json.loads(body)
                return _array(items)
            case "JSONL":
                return [json.loads(line) for line in body.splitlines() if line.strip()]
            case "PARQUET":
                rows: list[Any] = pq.read_table(io.BytesIO(body)).to_pylist()
                return json.loads(json.dumps(rows, default=str))  # type: ignore[no-any-return]
            case "CSV" | "MANIFEST":
                return _rows(body.decode("utf-8-sig"), config, _DELIMITERS[delimiter])
    except UnreadableItemsError:
        raise
    except (ValueError, KeyError, OSError) as error:
        raise UnreadableItemsError(f"Attempting to read the object as {input_type} failed: {error}") from error
    raise UnreadableItemsError(f"{input_type} is not an InputType")


def _array(items: Any) -> list[Any]:
    if not isinstance(items, list):
        raise UnreadableItemsError("Attempting to map over non-iterable node.")
    return items


def _rows(text: str, config: Mapping[str, Any], delimiter: str) -> list[dict[str, str]]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    headers = list(config.get("CSVHeaders") or ()) if str(config.get("CSVHeaderLocation")) == "GIVEN" else next(rows, [])
    if len(set(headers)) < len(headers):
        raise UnreadableItemsError("CSV headers cannot contain duplicates.")
    return [{header: row[at] if at < len(row) else "" for at, header in enumerate(headers)} for row in rows if row]


def listed(s3: Any, parameters: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """Returns what ListObjectsV2 lists, of all pages, up to `limit` objects."""
    found: list[dict[str, Any]] = []
    for page in s3.get_paginator("list_objects_v2").paginate(**parameters):
        for one in page.get("Contents", ()):
            found.append({**one, "LastModified": round(one["LastModified"].timestamp())})
            if len(found) >= limit:
                return found
    return found
