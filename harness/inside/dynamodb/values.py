"""The attribute values of a request: numbers in one form, sets without duplicates. moto keeps the text of a number, so that 1 and 1.0 are two keys.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from __future__ import annotations

import re
import sys
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from localstack.aws.api import CommonServiceException

_LEAST, _MOST = Decimal("1E-130"), Decimal("9.9999999999999999999999999999999999999E+125")
_DIGITS = 38
_EXACT = Context(prec=400, Emin=-1000, Emax=1000)
# What has this form already is most of what comes.
_PLAIN = re.compile(r"0|-?[1-9]\d{0,36}|-?(0|[1-9]\d{0,17})\.\d{0,17}[1-9]")
_MOST_OF_A_CHARACTER = 4
_SETS = {"SS", "NS", "BS"}


def at_most(value: Any) -> int:
    """Returns how many bytes attribute values have at most, as DynamoDB counts them. The exact number takes ten times as long, and few items come near a limit."""
    if isinstance(value, str):
        return _MOST_OF_A_CHARACTER * len(value)
    if isinstance(value, dict):
        total = 0
        for name, inner in value.items():
            total += (
                _MOST_OF_A_CHARACTER * (len(name) + len(inner))
                if type(inner) is str
                else _MOST_OF_A_CHARACTER * len(name) + at_most(inner)
            )
        return total
    if isinstance(value, list | set):
        return sum(map(at_most, value))
    if isinstance(value, bytes):
        return len(value)
    # Of what moto has put there nothing is known.
    return 1 if value is None or isinstance(value, bool) else sys.maxsize


def normalize(value: Any) -> bool:
    """Writes the numbers of all attribute values of a request in the form that DynamoDB gives back. Returns whether that changed any.

    Raises CommonServiceException for a text that is not a number, a number out of range, an empty set, and a set with duplicates."""
    changed = False
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "N" and isinstance(inner, str):
                value[name] = number(inner)
                changed |= value[name] != inner
            elif name in _SETS and isinstance(inner, list):
                value[name] = [number(one) for one in inner] if name == "NS" else inner
                changed |= value[name] != inner
                _verify_set(value[name])
            else:
                changed |= normalize(inner)
    elif isinstance(value, list):
        for inner in value:
            changed |= normalize(inner)
    return changed


def number(text: str) -> str:
    """Returns a number without what does not count: 1 for 01.0 and 1E0."""
    if _PLAIN.fullmatch(text):
        return text
    try:
        exact = _EXACT.create_decimal(text)
    except InvalidOperation:
        raise refusal("The parameter cannot be converted to a numeric value") from None
    if not exact.is_finite():
        raise refusal("The parameter cannot be converted to a numeric value")
    if exact and not _LEAST <= abs(exact) <= _MOST:
        size = "overflow" if abs(exact) > _MOST else "underflow"
        told = "larger than" if size == "overflow" else "smaller than"
        raise refusal(f"Number {size}. Attempting to store a number with magnitude {told} supported range")
    if len("".join(map(str, exact.as_tuple().digits)).strip("0")) > _DIGITS:
        raise refusal(f"Attempting to store more than {_DIGITS} significant digits in a Number")
    return format(exact.normalize(_EXACT), "f") if exact else "0"


def _verify_set(members: list[Any]) -> None:
    if not members:
        raise refusal("One or more parameter values were invalid: A set may not be empty")
    if len({repr(member) for member in members}) < len(members):
        raise refusal("One or more parameter values were invalid: Input collection contains duplicates.")


def refusal(message: str) -> CommonServiceException:
    """Returns a ValidationException."""
    return CommonServiceException("ValidationException", message, status_code=400, sender_fault=True)
