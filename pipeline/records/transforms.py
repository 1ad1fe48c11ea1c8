"""The records' transforms: pure functions from bytes and values to values.

A file is JSON: a list of records, or an object whose `records` is one. A record is {"id": "…", "value": 12.5, …}; what is stored of it is
the record and `transformed_value`, ten times its value. Numbers are decimals, as they came: nothing is rounded.
"""

from __future__ import annotations

import json
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.files.failed_files import FileRejectedError
from pipeline.files.failed_rows import FailedRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FACTOR = 10
# What one invocation can parse in its memory, and tell the queue in its time if nothing of it is valid.
MAX_FILE_BYTES = 4 * 1024 * 1024
# A history of 25,000 events has room for so many batches, at eleven events each for Express executions and eight for others.
MAX_BATCHES = 2000
# DynamoDB's items have room for 400 KiB, in which a list of small numbers takes half as much again as in JSON; its numbers for 38 digits,
# up to 10**125; its keys for 2 KiB; its names for 64 KiB.
MAX_RECORD_BYTES = 240_000
_MAX_ID_BYTES, _MAX_NAME_BYTES = 1024, 65_535
_DIGITS, _LARGEST_EXPONENT, _MAX_DEPTH = 38, 125, 30
_BLANK = " \t\n\r"
_ADDED = ("transformed_value", "upload", "line")
_NOT_KEPT = Decimal("NaN")
# No number of a record is longer: nothing is ever rounded.
_exact = Context(prec=MAX_RECORD_BYTES, Emax=MAX_EMAX, Emin=MIN_EMIN)

Document = dict[str, Any]


class UnstorableError(ValueError):
    """Says what of a record the table cannot keep."""


class _Ambiguous(dict[str, Any]):
    """An object in which a name stands twice: it is not known which of the values is meant."""


class Valid(NamedTuple):
    """A record: its place in the file's list, from 0, and as it came."""

    position: int
    raw: str


def elements(body: bytes) -> Iterator[tuple[int, str]]:
    """Yields the elements of the list, each as it stands in the file. Raises FileRejectedError for a file that is not a list."""
    if len(body) > MAX_FILE_BYTES:
        raise FileRejectedError(f"FileTooLarge: more than {MAX_FILE_BYTES} bytes")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRejectedError(f"NotJson: no UTF-8 text (byte {error.start + 1})") from None
    if not text.strip(_BLANK):
        raise FileRejectedError("EmptyFile: nothing in it")
    try:
        # Once for the whole: what is broken somewhere is not taken in by half. Without its numbers, which take most of the room.
        document = _structure.decode(text)
    except ValueError as error:
        raise FileRejectedError(f"NotJson: {error}") from None
    except RecursionError:
        raise FileRejectedError("NestedTooDeep: a thousand levels or so") from None
    if isinstance(document, _Ambiguous):
        raise FileRejectedError("RepeatedName: an object with the same name twice around the records")
    records = document.get("records") if isinstance(document, dict) else document
    if not isinstance(records, list):
        raise FileRejectedError("NotAList: expected a list of records, or an object whose `records` is one")
    if not records:
        raise FileRejectedError("NoRecords: the list is empty")
    yield from enumerate(_as_they_stand(text, len(records)))


def _parse(text: str) -> Any:
    return json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_refuse, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    return values if len(values) == len(pairs) else _Ambiguous(values)


def _nothing(_text: str) -> None:
    return None


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except ArithmeticError:
        return _NOT_KEPT
    # An exponent that no number type keeps. The record is at fault, not the file.
    return _NOT_KEPT if number and abs(number.adjusted()) > MAX_RECORD_BYTES else number


def _refuse(name: str) -> None:
    message = f"{name} is no number of JSON"
    raise ValueError(message)


_structure = json.JSONDecoder(parse_float=_nothing, parse_int=_nothing, parse_constant=_refuse, object_pairs_hook=_object)


def _as_they_stand(text: str, count: int) -> Iterator[str]:
    at = _skip(text, 0)
    if text[at] == "{":
        at = _list_of_records(text, at + 1)
    at += 1
    for _ in range(count):
        at = _skip(text, at)
        _, end = _structure.raw_decode(text, at)
        yield text[at:end]
        # Behind it: the comma, or the end of the list.
        at = _skip(text, end) + 1


def _list_of_records(text: str, at: int) -> int:
    """Returns where the object's list `records` begins."""
    while True:
        at = _skip(text, at)
        name, at = _structure.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if name == "records":
            return at
        _, at = _structure.raw_decode(text, at)
        at = _skip(text, at) + 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at


def validate(of_elements: Iterable[tuple[int, str]]) -> tuple[list[Valid], list[FailedRow]]:
    """Returns the records, and the elements that are not records. Of two with one id the first counts. Total: every element is in exactly one of the two."""
    good: list[Valid] = []
    bad: list[FailedRow] = []
    known: set[str] = set()
    for position, raw in of_elements:
        if len(raw.encode()) > MAX_RECORD_BYTES:
            bad.append(FailedRow(position, raw.encode(), f"InvalidRecord: more than {MAX_RECORD_BYTES} bytes"))
            continue
        document = _parse(raw)
        problem = _invalid(document)
        if problem is None and _id(document) in known:
            problem = f"DuplicateId: an earlier record of the file has the id {_id(document)!r}"
        if problem is None:
            known.add(_id(document))
            good.append(Valid(position, raw))
        else:
            bad.append(FailedRow(position, raw.encode(), problem))
    return good, bad


def _invalid(document: Any) -> str | None:
    if not isinstance(document, dict):
        return "InvalidRecord: expected an object"
    if isinstance(document, _Ambiguous):
        return "InvalidRecord: a name stands twice"
    if not _is_id(document.get("id")):
        return f"InvalidRecord: id: expected a text of 1 to {_MAX_ID_BYTES} bytes, or a whole number"
    # A text times ten would be ten texts.
    if not isinstance(document.get("value"), Decimal):
        return "InvalidRecord: value: expected a number"
    reserved = [name for name in _ADDED if name in document]
    if reserved:
        return f"InvalidRecord: {', '.join(reserved)}: set by the pipeline, not by the sender"
    try:
        _transformed(document)
    except UnstorableError as error:
        return f"InvalidRecord: {error}"
    return None


def _is_id(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value.as_tuple().exponent == 0 and len(value.as_tuple().digits) <= _DIGITS
    return isinstance(value, str) and 0 < len(value.encode(errors="replace")) <= _MAX_ID_BYTES


def _id(document: Document) -> str:
    return str(document["id"])


def transform(record: Valid) -> Document:
    """Returns what is stored of a record: all of it, its id as text, with its transformed value."""
    return _transformed(_parse(record.raw))


def _transformed(document: Document) -> Document:
    transformed: Document = _storable({**document, "transformed_value": _exact.multiply(document["value"], FACTOR)})
    return {**transformed, "id": _id(document)}


def _storable(value: Any, depth: int = 1) -> Any:
    """Returns the value, its numbers without trailing zeros. Raises UnstorableError for what DynamoDB cannot keep."""
    if depth > _MAX_DEPTH:
        raise UnstorableError(f"nested more than {_MAX_DEPTH} deep")
    match value:
        case str():
            return _storable_text(value)
        case Decimal():
            return _storable_number(value)
        case list():
            return [_storable(inner, depth + 1) for inner in value]
        case _Ambiguous():
            raise UnstorableError("a name stands twice")
        case dict():
            return {_storable_name(name): _storable(inner, depth + 1) for name, inner in value.items()}
        case _:
            return value


def _storable_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnstorableError("a text with half a surrogate pair") from None
    return text


def _storable_name(name: str) -> str:
    if not 0 < len(_storable_text(name).encode()) <= _MAX_NAME_BYTES:
        raise UnstorableError(f"a field without a name, or with one of more than {_MAX_NAME_BYTES} bytes")
    return name


def _storable_number(value: Decimal) -> Decimal:
    number = _exact.normalize(value) if value.is_finite() else value
    if not number.is_finite() or len(number.as_tuple().digits) > _DIGITS or abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise UnstorableError(f"a number with more than {_DIGITS} digits, too large or too small")
    written_out = Decimal(format(number, "f"))
    # Minus nothing is nothing.
    return (written_out if len(written_out.as_tuple().digits) <= _DIGITS else number) or Decimal(0)


def key(record: Valid) -> str:
    """Returns the id under which the record is stored."""
    return _id(_parse(record.raw))


def batches(records: list[Valid], size: int) -> list[list[Valid]]:
    """Returns the records in batches of `size`, in order; larger ones where there would be more than MAX_BATCHES."""
    size = max(size, -(-len(records) // MAX_BATCHES))
    return [records[start : start + size] for start in range(0, len(records), size)]


def dump(lines: Iterable[Any]) -> bytes:
    """Records or items on their way between two functions: one JSON value a line."""
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def load(body: bytes) -> list[Any]:
    """Returns what `dump` wrote."""
    return [json.loads(line) for line in body.split(b"\n") if line]
