"""The transforms of the customers: pure, from a page's text to items of a table."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import phonenumbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TIERS = ((10_000, "platinum"), (5_000, "gold"), (1_000, "silver"), (0, "bronze"))
_BIRTH_DATE = "%d.%m.%Y"
_BLANKS = " \t\r\n"


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
    """Raises ValueError for a text that is no page, such as one that was cut off."""
    match json.loads(text):
        case {"next": str(cursor), "items": list(), **rest}:
            return Page(list(_raw_items(text)), cursor, bool(rest.get("more")))
    raise ValueError("expected an object with items and next")


def _raw_items(text: str) -> Iterator[str]:
    """Yields the texts of `items`: a dead letter keeps what was sent, byte for byte."""
    decoder, at = json.JSONDecoder(), _past(text, 0, "{")
    while text[at] != "}":
        key, at = decoder.raw_decode(text, _past(text, at, ""))
        at = _past(text, at, ":")
        if key != "items":
            _, at = decoder.raw_decode(text, at)
        else:
            at = _past(text, at, "[")
            while text[at] != "]":
                _, end = decoder.raw_decode(text, at)
                yield text[at:end]
                at = _past(text, end, ",")
            at += 1
        at = _past(text, at, ",")


def _past(text: str, at: int, mark: str) -> int:
    """Returns the place behind blanks, the mark if it is there, and blanks."""
    while text[at] in _BLANKS:
        at += 1
    if mark and text[at] == mark:
        at += 1
        while text[at] in _BLANKS:
            at += 1
    return at


def customer(text: str) -> Customer | Rejected:
    """Total: the text of any item gives a customer, or a reason why it is none."""
    try:
        item = json.loads(text)
    except ValueError as error:
        return Rejected("MalformedJson", str(error), "")
    if not isinstance(item, dict):
        return Rejected("NotAnObject", type(item).__name__, "")
    customer_id = item.get("id")
    if not isinstance(customer_id, str) or not customer_id:
        return Rejected("IdMissing", "id is no text", "")
    try:
        version = _moment(item)
        document = {
            "id": customer_id,
            "name": " ".join(_text(item, "name").split()),
            "phone": _phone(_text(item, "phone"), _text(item, "country")),
            "country": _text(item, "country"),
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
    return value


def _points(item: dict[str, Any]) -> int:
    points = item.get("points")
    if not isinstance(points, int) or isinstance(points, bool) or points < 0:
        raise ValueError("PointsInvalid: expected a whole number, 0 or more")
    return points


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


def _moment(item: dict[str, Any]) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(item, "updatedAt"))
    except ValueError:
        raise ValueError("DateInvalid: updatedAt is no time") from None
    if moment.tzinfo is None:
        raise ValueError("DateInvalid: updatedAt has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("DateInvalid: updatedAt is out of range") from None
