"""What the queries of S3 Select leave out, as an expression of a scenario: `WHERE CAST(s.amount AS DECIMAL) > 100` drops `{{ not amount > 100 }}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_QUERY = re.compile(r"^\s*SELECT\b.*?\bFROM\s+S3Object\b(\[\s*\*\s*\])?(\.\w+(\[\s*\*\s*\])?)*", re.IGNORECASE | re.DOTALL)
_TABLE = re.compile(r"(\bFROM\s+S3Object)\S*", re.IGNORECASE)
_NUMBERS = {"int", "decimal"}
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SIGNS: dict[type[exp.Expression], str] = {exp.EQ: "==", exp.NEQ: "!=", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}


class _OtherError(ValueError):
    """A condition that an expression of a scenario cannot say here."""


def queries_in(values: Any) -> Iterator[str]:
    """Yields the texts within plain data that are queries of S3 Select with a condition."""
    if isinstance(values, str):
        if _QUERY.match(values) and re.search(r"\bWHERE\b", values, re.IGNORECASE):
            yield values
    elif isinstance(values, dict | list):
        for one in values.values() if isinstance(values, dict) else values:
            yield from queries_in(one)


def filter_of(queries: Iterable[str], fields: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Returns the expression that is true for records that the queries leave out; None where it cannot be said. `fields` are those of the records."""
    conditions = []
    for query in queries:
        try:
            where = sqlglot.parse_one(_TABLE.sub(r"\1", query), dialect="duckdb").args.get("where")
            conditions.append(_said(where.this, fields) if where is not None else "true")
        except (sqlglot.errors.SqlglotError, _OtherError):
            return None
    return f"{{{{ not ({' or '.join(dict.fromkeys(conditions))}) }}}}" if conditions else None


def _said(node: exp.Expression, fields: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns a condition as Jinja has it. Raises _OtherError."""
    match node:
        case exp.Paren(this=inner):
            return f"({_said(inner, fields)})"
        case exp.And(this=first, expression=second):
            return f"({_said(first, fields)} and {_said(second, fields)})"
        case exp.Or(this=first, expression=second):
            return f"({_said(first, fields)} or {_said(second, fields)})"
        case exp.Not(this=inner):
            return f"not ({_said(inner, fields)})"
        case exp.Between(this=column):
            value, low, high = _value(column, fields), node.args["low"], node.args["high"]
            return f"({_value(low, fields)} <= {value} and {value} <= {_value(high, fields)})"
        case exp.In(this=column, expressions=among) if among:
            return f"{_value(column, fields)} in [{', '.join(_value(one, fields) for one in among)}]"
    if type(node) in _SIGNS:
        pair = [node.this, node.expression]
        is_number = any(_is_number(one, fields) for one in pair)
        first, second = (_value(one, fields, as_number=is_number) for one in pair)
        return f"{first} {_SIGNS[type(node)]} {second}"
    raise _OtherError


def _is_number(node: exp.Expression, fields: Mapping[str, Mapping[str, Any]]) -> bool:
    if isinstance(node, exp.Literal):
        return not node.is_string
    if isinstance(node, exp.Cast):
        return not node.is_type("text")
    return isinstance(node, exp.Column) and fields.get(node.name, {}).get("type") in _NUMBERS


def _value(node: exp.Expression, fields: Mapping[str, Mapping[str, Any]], *, as_number: bool = False) -> str:
    match node:
        case exp.Cast(this=inner):
            return _value(inner, fields, as_number=as_number)
        case exp.Neg(this=exp.Literal(is_string=False) as inner):
            return f"-{inner.this}"
        case exp.Literal(is_string=False):
            return str(node.this)
        case exp.Literal() if "'" not in node.this and "\\" not in node.this:
            return f"'{node.this}'"
        case exp.Column() if node.name in fields and _IDENTIFIER.fullmatch(node.name):
            is_text = as_number and fields[node.name]["type"] not in _NUMBERS
            return f"{node.name} | decimal" if is_text else node.name
    raise _OtherError
