"""The rules of composite alarms. LocalStack evaluates those alone that are an OR of ALARM.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TOKEN = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]*)\"|(?P<name>[^\s()\"]+))\s*\)|(?P<word>\w+|[()]))"
)


def is_true(rule: str, state_of: Callable[[str], str]) -> bool:
    """Evaluates the rule of a composite alarm. `state_of` takes the name or ARN of an alarm and returns its state. Raises ValueError where
    the text is not a valid rule."""
    tokens = list(_tokens(rule))
    value = _or(tokens, state_of)
    if tokens:
        message = f"{rule!r} is no alarm rule: {tokens[0][0]!r} is too much"
        raise ValueError(message)
    return value


def alarms_of(rule: str) -> list[str]:
    """Returns the names and ARNs of the alarms of a rule, in their order. Raises ValueError."""
    return [alarm for _, alarm in _tokens(rule) if alarm]


def _tokens(rule: str) -> Iterator[tuple[str, str]]:
    at = 0
    while rule[at:].strip():
        found = _TOKEN.match(rule, at)
        if found is None:
            message = f"{rule!r} is no alarm rule from {rule[at : at + 20]!r} on"
            raise ValueError(message)
        at = found.end()
        yield found["state"] or found["word"], found["quoted"] or found["name"] or ""


def _or(tokens: list[tuple[str, str]], state_of: Callable[[str], str]) -> bool:
    value = _and(tokens, state_of)
    while tokens and tokens[0][0] == "OR":
        tokens.pop(0)
        value |= _and(tokens, state_of)
    return value


def _and(tokens: list[tuple[str, str]], state_of: Callable[[str], str]) -> bool:
    value = _one(tokens, state_of)
    while tokens and tokens[0][0] == "AND":
        tokens.pop(0)
        value &= _one(tokens, state_of)
    return value


def _one(tokens: list[tuple[str, str]], state_of: Callable[[str], str]) -> bool:
    word, alarm = tokens.pop(0) if tokens else ("", "")
    if alarm:
        return state_of(alarm) == word
    if word == "NOT":
        return not _one(tokens, state_of)
    if word == "(":
        value = _or(tokens, state_of)
        if not tokens or tokens.pop(0)[0] != ")":
            message = "an alarm rule lacks a closing bracket"
            raise ValueError(message)
        return value
    if word in {"TRUE", "FALSE"}:
        return word == "TRUE"
    message = f"an alarm rule has {word!r} where an expression should be"
    raise ValueError(message)
