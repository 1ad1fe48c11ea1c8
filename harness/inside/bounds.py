"""Numbers and lists beyond the bounds that AWS's service models state: refused before a service sees them, as AWS does.

boto3 checks the lower bounds, LocalStack few of either.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from localstack.aws.api import CommonServiceException

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack.aws.api import RequestContext
    from localstack.aws.chain import HandlerChain
    from localstack.http import Response

_SERVICES = frozenset({"athena", "events", "firehose", "kinesis", "lambda", "logs", "pipes", "scheduler", "stepfunctions"})
_NUMBERS = frozenset({"integer", "long"})
# Of a function, in seconds and MB: the model has no upper bound, or one for functions on instances of one's own.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MOST = {"Timeout": 900, "MemorySize": 10_240}


def check(_chain: HandlerChain, context: RequestContext, _response: Response) -> None:
    """Raises ValidationException for a request with a value beyond its bounds."""
    if context.operation is None or not context.service_request or context.service.service_name not in _SERVICES:
        return
    shape = context.operation.input_shape
    if shape is None or not _has_bounds(shape):
        return
    found = list(_violations(shape, context.service_request, ""))
    if found:
        plural = "s" if len(found) > 1 else ""
        message = f"{len(found)} validation error{plural} detected: {'; '.join(found)}"
        raise CommonServiceException("ValidationException", message, status_code=400, sender_fault=True)


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    """Yields what is wrong, in the words of AWS."""
    if value is None:
        return
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value and _has_bounds(member):
                yield from _violations(member, value[name], f"{path}.{name[:1].lower()}{name[1:]}".lstrip("."))
    elif shape.type_name == "list":
        yield from _beyond(shape, len(value), path, "have length", value)
        if _has_bounds(shape.member):
            for number, one in enumerate(value, 1):
                yield from _violations(shape.member, one, f"{path}.{number}.member")
    elif shape.type_name in _NUMBERS and isinstance(value, int):
        yield from _beyond(shape, value, path, "have value", value)


def _beyond(shape: Any, number: int, path: str, what: str, value: Any) -> Iterator[str]:
    least, most = shape.metadata.get("min"), _MOST.get(shape.name, shape.metadata.get("max"))
    if (most is None or number <= most) and (least is None or number >= least):
        # The text of a list of records takes longer than all else here.
        return
    told = f"Value '{str(value)[:100]}' at '{path}' failed to satisfy constraint: Member must {what}"
    if most is not None and number > most:
        yield f"{told} less than or equal to {most}"
    else:
        yield f"{told} greater than or equal to {least}"


@functools.cache
def _has_bounds(shape: Any) -> bool:
    """Returns whether a shape, or one within it, has bounds. The shapes of a service are made once."""
    return _within(shape, frozenset())


def _within(shape: Any, above: frozenset[str]) -> bool:
    if shape.name in above:
        return False
    inner = above | {shape.name}
    if shape.type_name == "structure":
        return any(_within(member, inner) for member in shape.members.values())
    if shape.type_name == "list":
        return _is_bounded(shape) or _within(shape.member, inner)
    return shape.type_name in _NUMBERS and _is_bounded(shape)


def _is_bounded(shape: Any) -> bool:
    return bool({"min", "max"} & shape.metadata.keys())
