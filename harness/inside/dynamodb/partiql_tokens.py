"""The words and signs of a PartiQL statement.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from __future__ import annotations

import re

from moto.dynamodb.exceptions import DynamodbException

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")+")|(?P<number>-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)"""
    r"""|(?P<word>[A-Za-z_][\w-]*)|(?P<sign><<|>>|<=|>=|<>|!=|[][(){},.:?=<>+*-]))"""
)


class PartiqlError(DynamodbException):  # type: ignore[misc]
    """A statement that DynamoDB refuses. BatchExecuteStatement answers with `name` as the code."""

    name = "ValidationError"

    def __init__(self, message: str) -> None:
        super().__init__("com.amazonaws.dynamodb.v20120810#ValidationException", message)


class Tokens:
    """Walks over a statement: `at` is the number of what comes next. Raises PartiqlError where that is not what is wanted."""

    def __init__(self, statement: str) -> None:
        self.tokens = _tokens(statement)
        self.at = 0

    def peek(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise not_well_formed("the end of the statement")
        return self.tokens[self.at]

    def is_next(self, wanted: str) -> bool:
        return (
            self.at < len(self.tokens) and self.tokens[self.at][0] in {"word", "sign"} and self.tokens[self.at][1].lower() == wanted
        )

    def expect(self, wanted: str) -> None:
        if not self.is_next(wanted):
            raise not_well_formed(self.peek()[1])
        self.at += 1

    def take(self, kind: str) -> str:
        found, text = self.peek()
        if found != kind:
            raise not_well_formed(text)
        self.at += 1
        return text

    def word(self) -> str:
        return self.take("word").lower()

    def name(self) -> str:
        kind, text = self.peek()
        self.at += 1
        if kind == "quoted":
            return text[1:-1].replace('""', '"')
        if kind != "word":
            raise not_well_formed(text)
        return text


def _tokens(statement: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at, text = 0, statement.rstrip().rstrip(";")
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise not_well_formed(text[at:].strip()[:20])
        found.append((str(match.lastgroup), match[match.lastgroup or 0]))
        at = match.end()
    return found


def not_well_formed(text: str) -> PartiqlError:
    return PartiqlError(f"Statement wasn't well formed, can't be processed: Unexpected token {text}")
