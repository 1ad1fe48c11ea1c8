"""Presets: keys of readings for the shapes that AWS writes, or from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.documents import read_yaml
from harness.errors import UsageError

_REDRIVEN = {"outcome": "dead_lettered", "payload": "$message.body"}
PRESETS: dict[str, dict[str, Any]] = {
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    "sqs_redrive": _REDRIVEN,
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html: the body is the event itself.
    "lambda_dead_letter": _REDRIVEN,
    # The same page, destinations: a record of the invocation, with the event as `requestPayload`.
    "lambda_destination": {"outcome": "dead_lettered", "payload": "requestPayload"},
    # The same, where S3 invoked the function: the uploads that the event names, and that must still be there.
    "lambda_destination_of_s3": {
        "outcome": "alerted",
        "each": "requestPayload.Records[?s3].s3",
        "shard": "notified_upload(object.key, object.versionId)",
        "payload_location": "notified_location(bucket.name, object.key, object.versionId)",
    },
    # https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html: an S3 destination keeps the payload.
    "lambda_stream_to_s3": {
        "outcome": "dead_lettered",
        "each": "payload.Records[].kinesis",
        "sequence": "sequenceNumber",
        "payload": "data",
        "payload_encoding": "base64",
    },
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html: the body is the event.
    "eventbridge_dead_letter": {"outcome": "dead_lettered", "payload": "detail"},
}
"""The shapes that AWS itself writes."""


def preset(name: str, directory: Path | None) -> dict[str, Any]:
    """Returns the keys of a reading by the name of a shape, or from a YAML file in the directory. Raises ValueError where there is none."""
    if name in PRESETS:
        return PRESETS[name]
    if not name.endswith((".yaml", ".yml")):
        raise ValueError(f"preset {name!r} is none of {', '.join(PRESETS)}, and not a YAML file")
    path = (directory or Path()) / name
    try:
        _, document = read_yaml(path, "preset")
    except UsageError as error:
        raise ValueError(str(error)) from None
    if not isinstance(document, dict):
        raise ValueError(f"preset {path} is not a mapping")  # noqa: TRY004 - pydantic reports ValueErrors
    return document
