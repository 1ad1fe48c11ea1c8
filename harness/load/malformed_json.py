"""Malformers of JSON records: each spoils one element of a list in its own way, and leaves the list a list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def not_an_object(_record: bytes, rng: random.Random) -> bytes:
    """Something else than an object."""
    return rng.choice([b"7", b'"text"', b"[]", b"null", b"true", b'[{"id": "x", "value": 1}]'])


def missing_id(record: bytes, _rng: random.Random) -> bytes:
    """Nothing that names it."""
    return _changed(record, id=None)


def missing_value(record: bytes, rng: random.Random) -> bytes:
    """Null for a value, or none at all."""
    return _changed(record, value=None) if rng.random() < 0.5 else record.replace(b'"value"', b'"val"')


def text_value(record: bytes, rng: random.Random) -> bytes:
    """A text where a number is expected; ten times it is no error in every language."""
    return _changed(record, value=rng.choice(["12.5", "7", "", "many"]))


def boolean_value(record: bytes, rng: random.Random) -> bytes:
    """True and false are numbers, too, in some languages."""
    return _changed(record, value=rng.random() < 0.5)


def long_value(record: bytes, rng: random.Random) -> bytes:
    """A number with more digits than a table keeps."""
    return _changed(record, value=10**40 + rng.randrange(1, 10))


def reserved_name(record: bytes, _rng: random.Random) -> bytes:
    """The result is there already."""
    return _changed(record, transformed_value=0)


def _changed(record: bytes, **values: Any) -> bytes:
    return json.dumps({**json.loads(record), **values}).encode()


JSON_MALFORMERS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    malformer.__name__: malformer
    for malformer in (not_an_object, missing_id, missing_value, text_value, boolean_value, long_value, reserved_name)
}

JSON_FILE_FAULTS = ("empty_file", "no_records", "not_a_list", "not_json", "cut_off")
"""What may be wrong with a whole file."""
