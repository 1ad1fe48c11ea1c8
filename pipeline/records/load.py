"""Synthetic records: JSON files as the validate-transform-store pipeline takes them."""

from __future__ import annotations

import json
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from faker import Faker

from harness.api import JSON_FILE_FAULTS, TEXTS, Draft, Entry, FileSet, FileSource, JsonFormat, Malformed, NotEmpty, Variety, one_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping

    from harness.api import Malformer

DUPLICATE_ID = "duplicate_id"
"""Gives the record the id of an earlier one, which counts. The record itself is well formed, so this kind is not a malformer."""

VARIETY = Variety(
    {
        "id": ("ordinary", "upper case", "a whole number", "digits with leading zeros", "beyond ASCII", "with a slash"),
        "value": ("drawn", "zero", "negative", "whole", "with an exponent", "37 digits"),
        "text": ("ordinary", *TEXTS),
        "fields": ("known", "an unknown one", "an unknown object", "an empty list"),
        "place": ("there", "missing", "null"),
        "tags": ("there", "missing"),
        "written": ("as it comes", "compact", "with blanks", "in another order"),
    }
)
"""The classes of records. All are valid, and must be stored with nothing changed."""

_VALUES = {"zero": "0", "negative": "-0.5", "whole": "12", "with an exponent": "1.5e3", "37 digits": f"0.{'123456789' * 4}1"}

# Enough digits for each of them.
_EXACT = Context(prec=50)
_MORE: dict[str, dict[str, Any]] = {
    "an unknown one": {"schemaVersion": "2"},
    "an unknown object": {"sensor": {"make": "A & B", "position": {"floor": "1"}}},
    "an empty list": {"notes": []},
}

_POOL = 100
_UNITS = ("kWh", "m³", "°C", '\\ " /')


def not_an_object(_record: bytes, rng: random.Random) -> bytes:
    """Replaces the object by a value of another type."""
    return rng.choice([b"7", b'"text"', b"[]", b"null", b"true", b'[{"id": "x", "value": 1}]'])


def missing_id(record: bytes, _rng: random.Random) -> bytes:
    """Sets the id to null."""
    return _changed(record, id=None)


def missing_value(record: bytes, rng: random.Random) -> bytes:
    """Sets the value to null, or renames the field."""
    return _changed(record, value=None) if rng.random() < 0.5 else record.replace(b'"value"', b'"val"')


def text_value(record: bytes, rng: random.Random) -> bytes:
    """Puts a text where a number is expected. Some languages multiply a text without an error."""
    return _changed(record, value=rng.choice(["12.5", "7", "", "many"]))


def boolean_value(record: bytes, rng: random.Random) -> bytes:
    """Puts true or false where a number is expected. Some languages take them for 1 and 0."""
    return _changed(record, value=rng.random() < 0.5)


def long_value(record: bytes, rng: random.Random) -> bytes:
    """Puts a number with more digits than DynamoDB keeps (38)."""
    return _changed(record, value=10**40 + rng.randrange(1, 10))


def reserved_name(record: bytes, _rng: random.Random) -> bytes:
    """Sets a field that the transform reserves for its own result."""
    return _changed(record, transformed_value=0)


def repeated_name(record: bytes, rng: random.Random) -> bytes:
    """Says a name twice. Most parsers take the last value without a word."""
    name, value = rng.choice([("value", b"1"), ("id", b'"another"'), ("unit", b'"kg"')])
    return b'{"%b": %b, ' % (name.encode(), value) + record.lstrip().removeprefix(b"{")


def _changed(record: bytes, **values: Any) -> bytes:
    return json.dumps({**json.loads(record), **values}).encode()


MALFORMERS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    malformer.__name__: malformer
    for malformer in (
        not_an_object, missing_id, missing_value, text_value, boolean_value, long_value, reserved_name, repeated_name,
    )
}  # fmt: skip
KINDS = (*MALFORMERS, DUPLICATE_ID)


class MalformedRecords(Malformed):
    """Spoils a share of the records, by each of the kinds in turn (by all kinds where none are named)."""

    kinds: Annotated[tuple[Annotated[str, one_of(KINDS)], ...], NotEmpty] = KINDS


class Records(FileSource):
    """Synthetic records. Stored records must have every field, and ten times their value; numbers are compared as text."""

    repeating: ClassVar[frozenset[str]] = frozenset({DUPLICATE_ID})

    malformed: MalformedRecords | None = None
    file_faults: tuple[Annotated[str, one_of(JSON_FILE_FAULTS)], ...] = ()

    @property
    def malformers(self) -> Mapping[str, Malformer]:
        """Returns the malformers whose elements are no records."""
        return MALFORMERS

    def generated(self, seed: int, records: int) -> FileSet:
        """Returns the files of this seed."""
        form = JsonFormat("records", MALFORMERS)
        return FileSet(form, entries, seed, records, self.files, self.malformed, self.file_faults, "records", variety=VARIETY)


def entries(draft: Draft) -> Iterator[Entry]:
    """Yields the records of a file."""
    rng = draft.rng
    fake = Faker(["en_US", "de_DE", "ja_JP"])
    fake.seed_instance(draft.seed)
    places = [fake.city() for _ in range(_POOL)]
    earlier = ""
    for index in range(draft.count):
        kind = draft.spoilt.get(index)
        record_id = earlier if kind == DUPLICATE_ID else f"r{draft.file:02d}-{index:07d}"
        earlier = record_id if kind is None else earlier
        hundredths = rng.randrange(-1_000_000, 1_000_000)
        # More digits than a binary number has room for; odd, so that the last digit is not a zero.
        serial = rng.randrange(10**30, 10**31) * 2 + 1
        rest = {"unit": rng.choice(_UNITS), "tags": ["a", "", None, rng.random() < 0.5]}
        place = {"city": places[rng.randrange(_POOL)], "serial": serial}
        values = {"id": record_id, "value": hundredths / 100, "place": place, **rest}
        # Every second record has escapes where it could do without them.
        written = json.dumps(values, ensure_ascii=serial % 4 == 1).encode()
        number = Decimal(hundredths) / 100
        if index in draft.varied:
            values, number, written = _varied(values, number, draft.varied[index].classes, f"{draft.file:02d}{index:07d}")
            record_id = str(values["id"])
            earlier = record_id
        yield Entry(record_id, written, _stored(values, number), kind)


def _stored(values: Mapping[str, Any], number: Decimal) -> dict[str, Any]:
    """Returns what the table must have of a record: numbers as text, the id too."""
    stored = {**values, "id": str(values["id"]), "value": _text(number), "transformed_value": _text(_EXACT.multiply(number, 10))}
    if isinstance(place := values.get("place"), dict):
        stored["place"] = {**place, "serial": str(place["serial"])}
    return stored


def _varied(
    values: Mapping[str, Any], number: Decimal, classes: Mapping[str, str], own: str
) -> tuple[dict[str, Any], Decimal, bytes]:
    """Returns the record in the ways of its classes, its value, and how it is written; `own` are digits that no other record has."""
    varied: dict[str, Any] = {**values, "id": _id(values["id"], classes["id"], own)}
    if classes["text"] in TEXTS:
        varied["unit"] = TEXTS[classes["text"]]
    varied |= _MORE.get(classes["fields"], {})
    for name in ("place", "tags"):
        if classes[name] == "missing":
            del varied[name]
        elif classes[name] == "null":
            varied[name] = None
    if classes["value"] in _VALUES:
        text = _VALUES[classes["value"]]
        return varied, Decimal(text), _written(varied, text, classes["written"])
    return varied, number, _written(varied, str(varied["value"]), classes["written"])


def _id(drawn: str, written: str, own: str) -> str | int:
    match written:
        case "upper case":
            # The record beside it has this id but for the case.
            return f"R{own[:2]}-{int(own[2:]) ^ 1:07d}"
        case "a whole number":
            return int(f"9{own}")
        case "digits with leading zeros":
            return f"00{own}"
        case "beyond ASCII":
            return f"größe-日本-{own}"
        case "with a slash":
            return f"a/b c/{own}"
        case _:
            return drawn


def _written(values: Mapping[str, Any], value: str, how: str) -> bytes:
    """Returns the record as JSON, with its value written as it is given: an exponent is lost in a float."""
    document = {**values, "value": "{value}"}
    if how == "in another order":
        document = dict(reversed(document.items()))
    if how == "with blanks":
        text = json.dumps(document, ensure_ascii=False, indent=1)
    else:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":") if how == "compact" else None)
    return text.replace('"{value}"', value).encode()


def _text(number: Decimal) -> str:
    return format(_EXACT.normalize(number), "f") if number else "0"
