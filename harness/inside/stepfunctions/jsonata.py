"""JSONata in Python. LocalStack would download a Java machine for it.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import uuid4

import jsonata
from localstack.services.stepfunctions.asl.jsonata.jsonata import JSONataException


def _hash(text: str, algorithm: str) -> str:
    names = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
    if algorithm not in names:
        message = f"{algorithm} is not an algorithm of $hash"
        raise ValueError(message)
    return hashlib.new(names[algorithm], text.encode(), usedforsecurity=False).hexdigest()


_FUNCTIONS = {"hash": _hash, "uuid": lambda: str(uuid4())}
"""Of Step Functions, beside those of JSONata."""


def evaluated(expression: str) -> Any:
    """Returns what an expression evaluates to: a JSON value, or None where it is undefined. Raises JSONataException."""
    try:
        parsed = jsonata.Jsonata(expression)
        for name, function in _FUNCTIONS.items():
            parsed.register_lambda(name, function)
        return _plain(parsed.evaluate(None))
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
