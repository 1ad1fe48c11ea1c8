"""SNS: batches and attributes. https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html and …/dg/sns-message-attributes.html"""

from __future__ import annotations

from typing import Any


def _publish(request: Any) -> tuple[str, str] | None:
    for name, attribute in (request.get("MessageAttributes") or {}).items():
        kind, text = str(attribute.get("DataType")), str(attribute.get("StringValue"))
        if kind.split(".", maxsplit=1)[0] == "Number" and not _is_number(text):
            return (
                "InvalidParameterValue",
                f"The message attribute '{name}' with type '{kind}' must use a valid number, it has '{text}'.",
            )
    return None


def _batch(request: Any) -> tuple[str, str] | None:
    entries = request.get("PublishBatchRequestEntries") or ()
    if not entries:
        return "EmptyBatchRequest", "The batch request doesn't contain any entries."
    for entry in entries:
        if not entry.get("Message"):
            return "InvalidParameter", "Invalid parameter: Empty message"
        if (found := _publish(entry)) is not None:
            return found
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


CHECKS = {"Publish": _publish, "PublishBatch": _batch}
