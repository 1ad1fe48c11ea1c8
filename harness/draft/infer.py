"""Fields of a synthetic source, from records: what they hold is what a sample has shown to be valid."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_UUID = re.compile(r"(?P<prefix>[\w.:/#-]*?)[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_NUMBERED = re.compile(r"(?P<prefix>[A-Za-z][\w.:/#-]*?)(?P<number>\d+)")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_FORM = re.compile(r"\d{4}-\d\d-\d\d(?P<sep>[T ])\d\d:\d\d(?P<second>:\d\d)?(?P<part>\.\d+)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?")
_WHOLE, _DECIMAL = re.compile(r"-?\d{1,15}"), re.compile(r"-?\d{1,15}\.\d{1,6}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ .-]*")
"""A name that a field may have."""
_MOST_CHOICES = 12
# So many digits are enough ids, after a prefix that no number has.
_ENOUGH_DIGITS = 6
# Ids that no other number of a document is taken for.
_FIRST_NUMBER, _LAST_NUMBER = 100_000_000, 999_999_999


def id_field(records: Sequence[Mapping[str, Any]], preferred: Sequence[str] = ()) -> str | None:
    """Returns the field that tells records apart, by its name and its values; None where there is none."""
    names = list(dict.fromkeys(name for record in records for name in record))
    scores = {name: _score(name, [record.get(name) for record in records], preferred) for name in names}
    best = max(names, key=lambda name: scores[name], default=None)
    return best if best is not None and scores[best] > 0 else None


def _score(name: str, values: Sequence[Any], preferred: Sequence[str]) -> int:
    texts = [value for value in values if isinstance(value, str | int) and not isinstance(value, bool)]
    if len(texts) < len(values) or len(set(texts)) < len(values):
        return 0
    plain = name.lower().replace("_", "").replace("-", "")
    score = 100 if name in preferred else 0
    score += {"id": 60, "eventid": 55, "orderid": 55, "messageid": 55, "transactionid": 55, "uuid": 50, "key": 20}.get(plain, 0)
    score += 40 if plain.endswith("id") else 20 if plain.endswith(("number", "no", "key", "uuid", "sku")) else 0
    return score + (10 if all(isinstance(value, str) and _UUID.fullmatch(value) for value in texts) else 0)


def fields_of(records: Sequence[Mapping[str, Any]], id_name: str, *, as_text: bool = False) -> dict[str, dict[str, Any]]:
    """Returns the fields of a source by name, as the scenario file has them. That of the id draws a different value for each record. `as_text` says that the values are
    cells of CSV."""
    field = csv_field if as_text else _field
    names = list(dict.fromkeys(name for record in records for name in record))
    found = {}
    for name in names:
        if NAME.fullmatch(name):
            values = [record[name] for record in records if name in record]
            found[name] = unique(values) if name == id_name else field(values)
    return found


def left_out(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the names that no field may have."""
    return sorted({name for record in records for name in record if not NAME.fullmatch(name)})


def unique(values: Sequence[Any]) -> dict[str, Any]:
    """Returns a field that draws a different value for each record, in the form of these."""
    first = values[0] if values else None
    if isinstance(first, int) or (isinstance(first, str) and _WHOLE.fullmatch(first)):
        return {"type": "int", "unique": True, "min": _FIRST_NUMBER, "max": _LAST_NUMBER}
    if isinstance(first, str) and (found := _UUID.fullmatch(first)):
        return {"type": "uuid", **({"prefix": found["prefix"]} if found["prefix"] else {})}
    if isinstance(first, str) and (found := _NUMBERED.fullmatch(first)):
        low, high = _FIRST_NUMBER, _LAST_NUMBER
        if len(found["number"]) >= _ENOUGH_DIGITS:
            low, high = 10 ** (len(found["number"]) - 1), 10 ** len(found["number"]) - 1
        return {"type": "int", "unique": True, "min": low, "max": high, "prefix": found["prefix"]}
    return {"type": "uuid"}


def _field(values: Sequence[Any]) -> dict[str, Any]:
    """Returns the field that draws such values."""
    known = [value for value in values if value is not None]
    nulls = {"null": round(1 - len(known) / len(values), 2)} if values and len(known) < len(values) else {}
    if not known:
        return {"type": "choice", "of": [None]}
    return _drawn(known) | nulls


def _drawn(values: Sequence[Any]) -> dict[str, Any]:
    if all(isinstance(value, bool) for value in values):
        return {"type": "choice", "of": [True, False]}
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return {"type": "int", "min": min(values), "max": max(values)}
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return _decimal([Decimal(str(value)) for value in values])
    if all(isinstance(value, dict) and value for value in values):
        inner = {
            name: _field([value[name] for value in values if name in value]) for name in dict.fromkeys(n for v in values for n in v)
        }
        if all(NAME.fullmatch(name) for name in inner):
            return {"type": "nested", "fields": inner}
    if all(isinstance(value, str) for value in values):
        return _text(values)
    return {"type": "choice", "of": _distinct(values)}


def _text(values: Sequence[str]) -> dict[str, Any]:
    if all(_UUID.fullmatch(value) and not _UUID.fullmatch(value)["prefix"] for value in values):  # type: ignore[index]
        return {"type": "uuid"}
    if all(_EMAIL.fullmatch(value) for value in values):
        return {"type": "email"}
    if all(_DATE.fullmatch(value) for value in values):
        return {"type": "date", "min": min(values), "max": max(values)}
    if all(_is_moment(value) for value in values):
        return _moment(values)
    if all(_WHOLE.fullmatch(value) for value in values) and not any(
        value.lstrip("-").startswith("0") and len(value) > 1 for value in values
    ):
        return _numbers_as_text([int(value) for value in values])
    return {"type": "choice", "of": _distinct(values)}


def _numbers_as_text(values: Sequence[int]) -> dict[str, Any]:
    return {"type": "choice", "of": [str(value) for value in sorted(set(values))[:_MOST_CHOICES]]}


def csv_field(values: Sequence[str]) -> dict[str, Any]:
    """Returns the field of a column: a number there is written without quotes."""
    known = [value for value in values if value]
    if known and all(_WHOLE.fullmatch(value) and str(int(value)) == value for value in known):
        numbers = [int(value) for value in known]
        return {"type": "int", "min": min(numbers), "max": max(numbers)}
    if known and all(_DECIMAL.fullmatch(value) for value in known):
        return _decimal([Decimal(value) for value in known])
    return _text(known) if known else {"type": "choice", "of": [""]}


def _decimal(values: Sequence[Decimal]) -> dict[str, Any]:
    try:
        places = max(max(0, -int(value.as_tuple().exponent)) for value in values)
    except (InvalidOperation, ValueError, TypeError):
        places = 2
    return {"type": "decimal", "min": float(min(values)), "max": float(max(values)), "places": min(max(places, 1), 12)}


def _is_moment(value: str) -> bool:
    try:
        return len(value) > len("2026-01-01") and datetime.fromisoformat(value) is not None
    except ValueError:
        return False


def _moment(values: Sequence[str]) -> dict[str, Any]:
    """Returns a field that draws moments of the same days, written as those are."""
    days = [datetime.fromisoformat(value).date() for value in values]
    field: dict[str, Any] = {"type": "datetime", "min": str(min(days)), "max": str(max(days) + timedelta(days=1))}
    found = _FORM.fullmatch(values[0])
    if found is None:
        return field
    zone = found["zone"] or ""
    if zone not in {"", "Z", "z"}:
        field["zones"] = [zone]
    if (found["sep"], len(found["part"] or ""), zone) != ("T", 4, zone or "Z"):
        clock = "%H:%M" + (":%S" if found["second"] else "") + (".%f" if found["part"] else "")
        field["format"] = f"%Y-%m-%d{found['sep']}{clock}{zone}"
    return field


def _distinct(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found[:_MOST_CHOICES]
