"""What the queries of S3 Select leave out, as an expression of a scenario: `WHERE CAST(s.amount AS DECIMAL) > 100` drops `{{ not amount > 100 }}`."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_QUERY = re.compile(r"^\s*SELECT\b.*?\bFROM\s+S3Object\b(\[\s*\*\s*\])?(\.\w+(\[\s*\*\s*\])?)*", re.IGNORECASE | re.DOTALL)
_TABLE = re.compile(r"(\bFROM\s+S3Object)\S*", re.IGNORECASE)
_NUMBERS = {"int", "decimal"}
_TEXTS = {"uuid", "email", "date", "datetime", "name", "text"}
_WHOLE = ("int", "bigint", "smallint", "tinyint")
_NUMERIC = ("decimal", "double", "float")
_WHOLE_TEXT, _NUMBER_TEXT = re.compile(r"[+-]?\d+", re.ASCII), re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_LONGEST, _MOST_PARENTHESES = 2_000, 50
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SIGNS: dict[type[exp.Expression], str] = {exp.EQ: "==", exp.NEQ: "!=", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}


class _OtherError(ValueError):
    """A condition that an expression of a scenario cannot say here."""


def queries_of_code(trees: Iterable[ast.Module]) -> Iterator[str]:
    """Yields the queries of S3 Select that are constants; of one that the code puts together, its source, which says nothing."""
    for tree in trees:
        parts: set[int] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr | ast.BinOp) and id(node) not in parts:
                parts |= {id(one) for one in ast.walk(node)}
                texts = (one.value for one in ast.walk(node) if isinstance(one, ast.Constant))
                if any(isinstance(text, str) and _QUERY.match(text) for text in texts):
                    yield ast.unparse(node)
            elif isinstance(node, ast.Constant) and id(node) not in parts:
                yield from queries_in(node.value)


def queries_in(values: Any) -> Iterator[str]:
    """Yields the texts within plain data that are queries of S3 Select with a condition."""
    if isinstance(values, str):
        if _QUERY.match(values) and re.search(r"\bWHERE\b", values, re.IGNORECASE):
            yield values
    elif isinstance(values, dict | list):
        for one in values.values() if isinstance(values, dict) else values:
            yield from queries_in(one)


def filter_of(queries: Iterable[str], fields: Mapping[str, Mapping[str, Any]], *, as_text: bool = False) -> str | None:
    """Returns the expression that is true for records that the queries leave out; None where it cannot be said without doubt. `fields` are those of the records; `as_text`
    says that all their values are texts, as in CSV."""
    try:
        conditions = [_condition(query, _Row(fields, as_text=as_text)) for query in queries]
    except (sqlglot.errors.SqlglotError, _OtherError, RecursionError):
        return None
    expression = " or ".join(dict.fromkeys(conditions))
    return f"{{{{ not ({expression}) }}}}" if conditions and len(expression) < _LONGEST else None


def _condition(query: str, row: _Row) -> str:
    if query.count("(") > _MOST_PARENTHESES:
        raise _OtherError
    tree = sqlglot.parse_one(_TABLE.sub(r"\1", query), dialect="duckdb")
    where = tree.args.get("where")
    # A query that counts, or ends early, does not give each record that its condition lets through.
    if where is None or tree.args.get("limit") is not None or any(isinstance(one, exp.AggFunc) for one in tree.walk()):
        raise _OtherError
    return row.said(where.this)


class _Row:
    """The fields of a record, as a query sees them."""

    def __init__(self, fields: Mapping[str, Mapping[str, Any]], *, as_text: bool) -> None:
        self._fields = fields
        self._as_text = as_text

    def said(self, node: exp.Expression) -> str:
        """Returns a condition as Jinja has it. Raises _OtherError."""
        match node:
            case exp.Paren(this=inner):
                return f"({self.said(inner)})"
            case exp.And(this=first, expression=second):
                return f"({self.said(first)} and {self.said(second)})"
            case exp.Or(this=first, expression=second):
                return f"({self.said(first)} or {self.said(second)})"
            case exp.Not(this=inner):
                return f"not ({self.said(inner)})"
            case exp.Between(this=column):
                value, low, high = self._alike(column, node.args["low"], node.args["high"])
                return f"({low} <= {value} and {value} <= {high})"
            case exp.In(this=column, expressions=among) if among:
                value, *others = self._alike(column, *among)
                return "(" + " or ".join(f"{value} == {other}" for other in others) + ")"
        if type(node) in _SIGNS:
            first, second = self._alike(node.this, node.expression)
            return f"{first} {_SIGNS[type(node)]} {second}"
        raise _OtherError

    def _alike(self, *nodes: exp.Expression) -> list[str]:
        """Returns the values as Jinja has them: all numbers, or all texts. What compares a number with a text depends on rules that an expression does not have."""
        found = [self._value(node) for node in nodes]
        if len({kind for kind, _ in found}) != 1:
            raise _OtherError
        return [text for _, text in found]

    def _value(self, node: exp.Expression) -> tuple[type, str]:
        """Returns whether a value is a number or a text, and the value."""
        match node:
            case exp.Neg(this=exp.Literal(is_string=False) as inner):
                return float, f"-{inner.this}"
            case exp.Literal(is_string=False):
                return float, str(node.this)
            case exp.Literal() if "'" not in node.this and "\\" not in node.this:
                return str, f"'{node.this}'"
            case exp.Cast(this=exp.Column() as column) if node.is_type(*_WHOLE) or node.is_type(*_NUMERIC):
                return float, self._as_number(column, whole=node.is_type(*_WHOLE))
            case exp.Column() if node.name in self._fields and _IDENTIFIER.fullmatch(node.name):
                field = self._fields[node.name]
                if field["type"] in _NUMBERS and not self._as_text:
                    return float, node.name
                if field["type"] in _TEXTS or all(isinstance(one, str) for one in field.get("of", [0])):
                    return str, node.name
        raise _OtherError

    def _as_number(self, column: exp.Column, *, whole: bool) -> str:
        field = self._fields.get(column.name)
        if field is not None and _IDENTIFIER.fullmatch(column.name):
            if field["type"] == "int" or (field["type"] == "decimal" and not whole):
                return column.name
            known = field.get("of") or [""]
            if field["type"] == "choice" and all((_WHOLE_TEXT if whole else _NUMBER_TEXT).fullmatch(str(one)) for one in known):
                return f"({column.name} | string | decimal)"
        raise _OtherError
