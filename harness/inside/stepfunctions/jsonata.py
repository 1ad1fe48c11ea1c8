"""JSONata in Python. LocalStack would download a Java machine for it.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

from typing import Any

import jsonata
from localstack.services.stepfunctions.asl.jsonata.jsonata import JSONataException


def evaluated(expression: str) -> Any:
    """Returns what an expression evaluates to: a JSON value, or None where it is undefined. Raises JSONataException."""
    try:
        return _plain(jsonata.Jsonata(expression).evaluate(None))
    except jsonata.JException as error:
        raise JSONataException(str(error.get_error() if hasattr(error, "get_error") else "UNKNOWN"), str(error)) from error
    except Exception as error:
        raise JSONataException("UNKNOWN", str(error)) from error


def _plain(value: Any) -> Any:
    """Returns a value as JSON has it: numbers without a fraction are integers."""
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, str | int | float | bool) or value is None else None
