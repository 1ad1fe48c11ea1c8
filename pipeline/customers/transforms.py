"""The transforms of the customers: pure, from a page's text to items of a table."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import phonenumbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TIERS = ((10_000, "platinum"), (5_000, "gold"), (1_000, "silver"), (0, "bronze"))
_BIRTH_DATE = "%d.%m.%Y"
_BLANKS = " \t\r\n"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s"\[\]{},:]+|[ \t\r\n]+', re.DOTALL)
# What DynamoDB takes as a key, and what a customer may have at most: an item that the table refuses would stop the feed at its page.
_LONGEST_ID = 2048
_LONGEST_TEXT = 1024
_MOST_POINTS = 10**15


class Page(NamedTuple):
    """A page of the API. `items` are texts of JSON, as they stand in the page."""

    items: list[str]
    cursor: str
    more: bool


class Customer(NamedTuple):
    """A customer as stored. `version` orders the versions of one customer."""

    customer_id: str
    version: datetime
    document: dict[str, Any]


class Rejected(NamedTuple):
    """Why an item is no customer. `customer_id` is empty where the item has none."""

    error: str
    message: str
    customer_id: str


def page(text: str) -> Page:
    """Raises ValueError for a text that is no page, such as one that was cut off. What an item has in it is looked at by `customer` alone, so that
    an odd one does not spoil its page."""
    found: dict[str, tuple[int, int]] = {}
    at = _past(text, 0, "{")
    while text[at : at + 1] != "}":
        end = _end(text, at)
        key = json.loads(text[at:end])
        at = _past(text, end, ":")
        found[key] = at, _end(text, at)
        at = _next(text, found[key][1], "}")
    if "items" not in found or "next" not in found or text[at + 1 :].strip(_BLANKS):
        raise ValueError("expected an object with items and next")
    cursor, more = (json.loads(text[slice(*found[name])]) if name in found else None for name in ("next", "more"))
    if not isinstance(cursor, str):
        raise ValueError("expected a text as next")  # noqa: TRY004 - a page that is none is asked for again
    return Page(list(_raw_items(text, *found["items"])), cursor, bool(more))


def _raw_items(text: str, start: int, end: int) -> Iterator[str]:
    """Yields the texts of a list: a dead letter keeps what was sent, byte for byte."""
    at = _past(text, start, "[")
    while text[at] != "]":
        item_end = _end(text, at)
        yield text[at:item_end]
        at = _next(text, item_end, "]")
    if at + 1 != end:
        raise ValueError("expected a list as items")


def _end(text: str, at: int) -> int:
    """Returns where the JSON value that begins there ends, however deep it goes. Raises ValueError where the text ends before."""
    depth = 0
    while True:
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"cut off at character {at}")
        at = token.end()
        depth += (token[0] in {"{", "["}) - (token[0] in {"}", "]"})
        if depth == 0 and not token[0].isspace():
            if text[at : at + 1] or token[0] in {"}", "]"} or token[0].startswith('"'):
                return at
            raise ValueError("cut off in a value")


def _past(text: str, at: int, mark: str) -> int:
    """Returns the place behind blanks, the mark and blanks. Raises ValueError where the mark is not there."""
    at = _blanks(text, at)
    if text[at : at + 1] != mark:
        raise ValueError(f"expected {mark} at character {at}")
    return _blanks(text, at + 1)


def _next(text: str, at: int, last: str) -> int:
    """Returns the place of the next value of a list or an object, or of `last`, its end."""
    at = _blanks(text, at)
    return at if text[at : at + 1] == last else _past(text, at, ",")


def _blanks(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _BLANKS:
        at += 1
    return at


def customer(text: str) -> Customer | Rejected:
    """Total: the text of any item gives a customer, or a reason why it is none."""
    try:
        item = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Rejected("MalformedJson", str(error), "")
    if not isinstance(item, dict):
        return Rejected("NotAnObject", type(item).__name__, "")
    customer_id = item.get("id")
    if not isinstance(customer_id, str) or not customer_id:
        return Rejected("IdMissing", "id is no text", "")
    if len(customer_id.encode("utf-8", "replace")) > _LONGEST_ID:
        return Rejected("IdTooLong", f"id has more than {_LONGEST_ID:,} bytes", "")
    try:
        version = _moment(_text(item, "updatedAt"))
        document = {
            "id": _kept(customer_id, "id"),
            "name": " ".join(_text(item, "name").split()),
            "phone": _phone(_text(item, "phone"), _country(item)),
            "country": _country(item),
            "birth_date": _day(_text(item, "birthDate")),
            "points": _points(item),
            "tier": tier(_points(item)),
            "updated_at": version.isoformat().replace("+00:00", "Z"),
        }
    except ValueError as error:
        name, _, message = str(error).partition(": ")
        return Rejected(name, message, customer_id)
    return Customer(customer_id, version, document)


def tier(points: int) -> str:
    """Returns the loyalty tier: from its bound on, the bound included."""
    return next(name for bound, name in _TIERS if points >= bound)


def newest(customers: Iterable[Customer]) -> dict[str, Customer]:
    """Returns the newest version of each customer."""
    found: dict[str, Customer] = {}
    for each in customers:
        known = found.get(each.customer_id)
        if known is None or each.version > known.version:
            found[each.customer_id] = each
    return found


def _text(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"FieldMissing: {name} is no text")
    return _kept(value, name)


def _kept(text: str, name: str) -> str:
    """Returns the text. Raises ValueError for one that no table takes."""
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"TextTooLong: {name} has more than {_LONGEST_TEXT:,} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"InvalidUnicode: {name} has half of a character") from None
    return text


def _points(item: dict[str, Any]) -> int:
    points = item.get("points")
    if not isinstance(points, int) or isinstance(points, bool) or not 0 <= points <= _MOST_POINTS:
        raise ValueError(f"PointsInvalid: expected a whole number from 0 to {_MOST_POINTS}")
    return points


def _country(item: dict[str, Any]) -> str:
    country = _text(item, "country")
    if country not in phonenumbers.SUPPORTED_REGIONS:
        # A number from abroad would be read without it.
        raise ValueError("CountryUnknown: expected a code by ISO 3166-1 such as DE")
    return country


def _phone(text: str, country: str) -> str:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise ValueError(f"PhoneInvalid: {error}") from error
    if not phonenumbers.is_valid_number(number):
        raise ValueError("PhoneInvalid: there is no such number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _day(text: str) -> str:
    try:
        return datetime.strptime(text, _BIRTH_DATE).date().isoformat()  # noqa: DTZ007 - a day has no time zone
    except ValueError:
        pass
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("DateInvalid: expected a day as DD.MM.YYYY or YYYY-MM-DD") from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("DateInvalid: updatedAt is no time") from None
    if moment.tzinfo is None:
        raise ValueError("DateInvalid: updatedAt has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("DateInvalid: updatedAt is out of range") from None
