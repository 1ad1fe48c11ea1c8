"""SQS: numbers out of their range. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""

from __future__ import annotations

from typing import Any

MOST_VISIBILITY_S, MOST_DELAY_S = 43_200, 900
_RANGES = {
    "DelaySeconds": (0, MOST_DELAY_S),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, MOST_VISIBILITY_S),
}


def delay_refusal(seconds: int | None) -> str | None:
    """Returns why a delay is refused."""
    if seconds is None or 0 <= seconds <= MOST_DELAY_S:
        return None
    return f"Value {seconds} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= {MOST_DELAY_S}."


def visibility_refusal(seconds: int | None) -> str | None:
    """Returns why a visibility timeout is refused."""
    if seconds is None or 0 <= seconds <= MOST_VISIBILITY_S:
        return None
    return f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and {MOST_VISIBILITY_S}."


def _attributes(request: Any) -> tuple[str, str] | None:
    for name, text in (request.get("Attributes") or {}).items():
        if name in _RANGES:
            least, most = _RANGES[name]
            if not str(text).isdecimal() or not least <= int(text) <= most:
                return "InvalidAttributeValue", f"Invalid value for the parameter {name}."
    return None


def _receive(request: Any) -> tuple[str, str] | None:
    why = visibility_refusal(request.get("VisibilityTimeout"))
    return ("InvalidParameterValue", why) if why else None


CHECKS = {
    "CreateQueue": _attributes,
    "SetQueueAttributes": _attributes,
    "ReceiveMessage": _receive,
    "ChangeMessageVisibility": _receive,
}
