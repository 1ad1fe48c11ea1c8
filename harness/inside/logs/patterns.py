"""Filter patterns: terms, members of JSON, and columns.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import fnmatch
import functools
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_TERMS = re.compile(r'([-?]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|(\S+))')
_TOKENS = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\))|(?P<and>&&)|(?P<or>\|\|)|"
    r"(?P<test>\$[^\s()=!<>]+\s+(?:NOT\s+EXISTS|IS\s+(?:NULL|TRUE|FALSE))|"
    r"\$[^\s()=!<>]+\s*(?:!=|<=|>=|=|<|>)\s*(?:\"(?:[^\"\\]|\\.)*\"|%[^%]+%|[^\s()&|]+)))"
)
_TEST = re.compile(r"(\$\S*?)\s*(!=|<=|>=|=|<|>|NOT\s+EXISTS|IS\s+NULL|IS\s+TRUE|IS\s+FALSE)\s*(.*)$", re.DOTALL)
_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+|\*)\]|\[?"([^"]+)"\]?')
_WORDS = re.compile(r'\[[^\]]*\]|"[^"]*"|\S+')

_ABSENT = object()


class BadPatternError(ValueError):
    """A pattern that CloudWatch Logs refuses."""


@functools.lru_cache(maxsize=1024)
def matcher(pattern: str) -> Callable[[str], bool]:
    """Returns a function that says whether a log message matches. Raises BadPatternError."""
    text = pattern.strip()
    if not text:
        return lambda _message: True
    if text.startswith("{") and text.endswith("}"):
        return _of_json(text[1:-1])
    if text.startswith("[") and text.endswith("]"):
        return _of_columns(text[1:-1])
    return _of_terms(text)


def value_at(message: str, selector: str) -> Any:
    """Returns the member of a JSON message that a selector such as $.a.b names; None where there is none."""
    try:
        found = _find(json.loads(message), selector)
    except ValueError:
        return None
    return None if found is _ABSENT else found


def _of_terms(text: str) -> Callable[[str], bool]:
    needed: list[re.Pattern[str]] = []
    optional: list[re.Pattern[str]] = []
    excluded: list[re.Pattern[str]] = []
    for sign, quoted, expression, word in _TERMS.findall(text):
        term = re.compile(expression) if expression else re.compile(re.escape(quoted.replace('\\"', '"') if quoted else word))
        {"-": excluded, "?": optional}.get(sign, needed).append(term)
    # Optional terms count only where there are no others.
    optional = [] if needed else optional

    def matches(message: str) -> bool:
        return (
            all(term.search(message) for term in needed)
            and (not optional or any(term.search(message) for term in optional))
            and not any(term.search(message) for term in excluded)
        )

    return matches


def _of_json(text: str) -> Callable[[str], bool]:
    test = _expression(text)

    def matches(message: str) -> bool:
        try:
            document = json.loads(message)
        except ValueError:
            return False
        return isinstance(document, dict | list) and test(document)

    return matches


def _expression(text: str) -> Callable[[Any], bool]:  # noqa: C901 - a grammar of three rules
    """Parses tests that are joined by && and ||, with parentheses; && binds closer."""
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(text.rstrip()):
        found = _TOKENS.match(text, at)
        if found is None or found.lastgroup is None:
            raise BadPatternError(f"Invalid filter pattern at {text[at:]!r}")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()

    def either(position: int) -> tuple[Callable[[Any], bool], int]:
        left, position = both(position)
        while position < len(tokens) and tokens[position][0] == "or":
            right, position = both(position + 1)
            left = functools.partial(lambda a, b, document: a(document) or b(document), left, right)
        return left, position

    def both(position: int) -> tuple[Callable[[Any], bool], int]:
        left, position = one(position)
        while position < len(tokens) and tokens[position][0] == "and":
            right, position = one(position + 1)
            left = functools.partial(lambda a, b, document: a(document) and b(document), left, right)
        return left, position

    def one(position: int) -> tuple[Callable[[Any], bool], int]:
        if position >= len(tokens):
            raise BadPatternError(f"Invalid filter pattern: {text!r} ends too early")
        kind, token = tokens[position]
        if kind == "open":
            inner, position = either(position + 1)
            if position >= len(tokens) or tokens[position][0] != "close":
                raise BadPatternError(f"Invalid filter pattern: a parenthesis of {text!r} is not closed")
            return inner, position + 1
        if kind != "test":
            raise BadPatternError(f"Invalid filter pattern at {token!r}")
        return _test(token), position + 1

    made, end = either(0)
    if end != len(tokens):
        raise BadPatternError(f"Invalid filter pattern at {tokens[end][1]!r}")
    return made


def _test(token: str) -> Callable[[Any], bool]:
    parsed = _TEST.match(token)
    if parsed is None:
        raise BadPatternError(f"Invalid filter pattern at {token!r}")
    selector, operator, wanted = parsed[1], " ".join(parsed[2].split()), parsed[3].strip()

    def holds(document: Any) -> bool:
        found = _find(document, selector)
        match operator:
            case "NOT EXISTS":
                return found is _ABSENT
            case "IS NULL":
                return found is None
            case "IS TRUE":
                return found is True
            case "IS FALSE":
                return found is False
            case _:
                return found is not _ABSENT and _compares(found, operator, wanted)

    return holds


def _compares(found: Any, operator: str, wanted: str) -> bool:
    if operator in {"=", "!="}:
        return _equals(found, wanted) is (operator == "=")
    try:
        number = float(wanted)
    except ValueError:
        return False
    if isinstance(found, bool) or not isinstance(found, int | float):
        return False
    return {"<": found < number, ">": found > number, "<=": found <= number, ">=": found >= number}[operator]


def _equals(found: Any, wanted: str) -> bool:
    if wanted.startswith("%") and wanted.endswith("%"):
        return re.search(wanted[1:-1], str(found)) is not None
    quoted = wanted.startswith('"') and wanted.endswith('"')
    text = wanted[1:-1].replace('\\"', '"') if quoted else wanted
    if not quoted and isinstance(found, int | float) and not isinstance(found, bool) and text != "*":
        try:
            return bool(found == float(text))
        except ValueError:
            return fnmatch.fnmatchcase(str(found), text)
    told = found if isinstance(found, str) else json.dumps(found)
    return fnmatch.fnmatchcase(told, text.replace("[", "[[]"))


def _find(document: Any, selector: str) -> Any:
    found = document
    for name, index, quoted in _STEP.findall(selector.removeprefix("$")):
        key = name or quoted
        if index:
            if not isinstance(found, list) or (index != "*" and int(index) >= len(found)):
                return _ABSENT
            found = found if index == "*" else found[int(index)]
        elif isinstance(found, dict) and key in found:
            found = found[key]
        else:
            return _ABSENT
    return found


def _of_columns(text: str) -> Callable[[str], bool]:
    columns = [part.strip() for part in text.split(",")]

    def matches(message: str) -> bool:
        words = [word[1:-1] if word[0] in '["' else word for word in _WORDS.findall(message)]
        if "..." in columns:
            gap = columns.index("...")
            after = columns[gap + 1 :]
            if len(words) < gap + len(after):
                return False
            pairs = [*zip(columns[:gap], words, strict=False), *zip(after, words[len(words) - len(after) :], strict=True)]
        elif len(words) != len(columns):
            return False
        else:
            pairs = list(zip(columns, words, strict=True))
        return all(_column(column, word) for column, word in pairs)

    return matches


def _column(column: str, word: str) -> bool:
    """Returns whether a word fits a column: a name alone, or tests of it that are joined by && and ||."""
    return any(all(_fits(test.strip(), word) for test in alternative.split("&&")) for alternative in column.split("||"))


def _fits(test: str, word: str) -> bool:
    found = re.match(r"\w+\s*(!=|<=|>=|=|<|>)\s*(.+)$", test)
    if found is None:
        return True
    operator, wanted = found[1], found[2].strip().strip('"')
    if operator in {"=", "!="}:
        same = fnmatch.fnmatchcase(word, wanted) or _is_same_number(word, wanted)
        return same is (operator == "=")
    try:
        left, right = float(word), float(wanted)
    except ValueError:
        return False
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator]


def _is_same_number(word: str, wanted: str) -> bool:
    try:
        return float(word) == float(wanted)
    except ValueError:
        return False
