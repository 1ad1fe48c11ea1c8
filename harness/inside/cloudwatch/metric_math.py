"""Metric math: expressions over the metrics of a GetMetricData request.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import ast
import math
import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Series = dict[Any, float]
"""Values by the time of their period."""

_OPERATORS: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Pow: operator.pow,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_OVER_TIME: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum, "AVG": lambda values: sum(values) / len(values), "MIN": min, "MAX": max, "METRIC_COUNT": len,
}  # fmt: skip


class BadExpressionError(ValueError):
    """An expression that CloudWatch refuses."""


def evaluated(expression: str, series: Mapping[str, Series]) -> Series:
    """Returns the series of an expression over named series. Raises BadExpressionError."""
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except SyntaxError as error:
        raise BadExpressionError(f"Error in expression {expression!r}: {error.msg}") from error
    made = _value(tree.body, series)
    if isinstance(made, list):
        raise BadExpressionError(f"Error in expression {expression!r}: it is a list of metrics")
    if isinstance(made, dict):
        return made
    times = sorted({time for one in series.values() for time in one})
    return dict.fromkeys(times, float(made))


def _value(node: ast.AST, series: Mapping[str, Series]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            if name not in series:
                raise BadExpressionError(f"There is no metric with the id {name}")
            return series[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _each(lambda left, right: left - right, 0.0, _value(inner, series))
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _divided(_value(left, series), _value(right, series))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _each(_OPERATORS[type(op)], _value(left, series), _value(right, series))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            return _each(lambda a, b: float(_OPERATORS[type(op)](a, b)), _value(left, series), _value(right, series))
        case ast.List(elts=members):
            return [_value(member, series) for member in members]
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _call(name.upper(), arguments, series)
        case _:
            raise BadExpressionError(f"Unsupported expression: {ast.unparse(node)}")


def _call(name: str, arguments: list[ast.expr], series: Mapping[str, Series]) -> Any:
    if name == "METRICS":
        return list(series.values())
    if name == "FILL" and len(arguments) == 2:
        given = _value(arguments[0], series)
        times = sorted({time for one in series.values() for time in one})
        filler = _value(arguments[1], series)
        return {time: given.get(time, filler) for time in times}
    if name == "IF" and len(arguments) in {2, 3}:
        condition, *others = (_value(argument, series) for argument in arguments)
        yes, no = others[0], others[1] if len(others) == 2 else None
        return {
            time: _at(yes if holds else no, time)
            for time, holds in condition.items()
            if _at(yes if holds else no, time) is not None
        }
    if name in {"ABS", "CEIL", "FLOOR"} and len(arguments) == 1:
        changes: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
        return {time: float(changes[name](value)) for time, value in _value(arguments[0], series).items()}
    if name in _OVER_TIME and len(arguments) == 1:
        given = _value(arguments[0], series)
        if isinstance(given, list):
            times = sorted({time for one in given for time in one})
            return {time: float(_OVER_TIME[name]([one[time] for one in given if time in one])) for time in times}
        return float(_OVER_TIME[name](list(given.values()))) if given else 0.0
    raise BadExpressionError(f"Unsupported function {name}")


def _at(value: Any, time: Any) -> float | None:
    return value.get(time) if isinstance(value, dict) else value


def _each(function: Callable[[float, float], float], left: Any, right: Any) -> Any:
    if isinstance(left, list) or isinstance(right, list):
        members = left if isinstance(left, list) else right
        return [_each(function, one, right) if members is left else _each(function, left, one) for one in members]
    if isinstance(left, dict) and isinstance(right, dict):
        return {time: function(left[time], right[time]) for time in sorted(left.keys() & right.keys())}
    if isinstance(left, dict):
        return {time: function(value, right) for time, value in left.items()}
    if isinstance(right, dict):
        return {time: function(left, value) for time, value in right.items()}
    return function(left, right)


def _divided(left: Any, right: Any) -> Any:
    """Divides; a division by zero has no value."""
    if isinstance(right, dict):
        right = {time: value for time, value in right.items() if value}
    elif not right:
        return {}
    return _each(operator.truediv, left, right)
