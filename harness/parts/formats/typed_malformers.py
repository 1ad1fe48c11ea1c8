"""Malformers that follow from the types of described fields: which value is spoilt, and how, depends on what the field should be."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from harness.parts.formats.csv_malformers import CSV_MALFORMERS
from harness.parts.formats.json_malformers import JSON_MALFORMERS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from harness.parts.ports import Malformer

# Kind -> types of fields that it can spoil, and what it puts there.
_WRONG: dict[str, tuple[frozenset[str], tuple[Any, ...]]] = {
    "wrong_type": (frozenset({"int", "decimal"}), ("n/a", "12e4x", "one")),
    "bad_date": (frozenset({"date", "datetime"}), ("yesterday", "2026-02-30", "2026-13-01T25:00:00Z", "31.31.2026")),
    "bad_uuid": (frozenset({"uuid"}), ("not-a-uuid", "1234", "zzzzzzzz-zzzz-4zzz-8zzz-zzzzzzzzzzzz")),
    "unknown_choice": (frozenset({"choice"}), ("no such choice", "??")),
    "bad_email": (frozenset({"email"}), ("nobody", "a@@example.org", "@")),
}
_CSV_STRUCTURE = ("short_row", "long_row", "unbalanced_quote", "nul_byte", "invalid_utf8", "empty_row")
_OF_SEVERAL_COLUMNS = {"short_row", "unbalanced_quote"}


def json_malformers(types: Mapping[str, str], required: tuple[str, ...]) -> dict[str, Malformer]:
    """Returns the malformers of JSON objects with these fields (name -> type); `required` are the fields that are never null."""
    found: dict[str, Malformer] = dict(JSON_MALFORMERS)
    if required:
        found["missing_field"] = _edit_json(required, lambda document, name, _: document.pop(name))
        found["null_field"] = _edit_json(required, lambda document, name, _: document.update({name: None}))
    for kind, (spoils, values) in _WRONG.items():
        names = tuple(name for name, of in types.items() if of in spoils)
        if names:
            found[kind] = _edit_json(names, _put(values))
    return found


def csv_malformers(types: Mapping[str, str], required: tuple[str, ...]) -> dict[str, Malformer]:
    """Returns the malformers of CSV rows with these columns, in their order."""
    columns = list(types)
    # A row of one column can be neither too short, nor can a quote in it open between two columns.
    structure = _CSV_STRUCTURE if len(columns) > 1 else tuple(kind for kind in _CSV_STRUCTURE if kind not in _OF_SEVERAL_COLUMNS)
    found: dict[str, Malformer] = {kind: CSV_MALFORMERS[kind] for kind in structure}
    if required:
        found["missing_value"] = _edit_row(columns, required, ("",))
    for kind, (spoils, values) in _WRONG.items():
        names = tuple(name for name, of in types.items() if of in spoils)
        if names:
            found[kind] = _edit_row(columns, names, values)
    return found


def _put(values: tuple[Any, ...]) -> Callable[[dict[str, Any], str, random.Random], None]:
    return lambda document, name, rng: document.update({name: rng.choice(values)})


def _edit_json(names: tuple[str, ...], edit: Callable[[dict[str, Any], str, random.Random], object]) -> Malformer:
    def malformer(payload: bytes, rng: random.Random) -> bytes:
        document: dict[str, Any] = from_json(payload)
        edit(document, rng.choice(names), rng)
        return to_json(document)

    return malformer


def _edit_row(columns: list[str], names: tuple[str, ...], values: tuple[str, ...]) -> Malformer:
    def malformer(row: bytes, rng: random.Random) -> bytes:
        fields = next(csv.reader([row.decode().replace("\n", " ")]))
        fields[columns.index(rng.choice(names))] = rng.choice(values)
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="").writerow(fields)
        return text.getvalue().encode()

    return malformer
