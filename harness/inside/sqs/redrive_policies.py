"""Which dead-letter queues SQS lets a queue have. LocalStack takes any text, and drops what would go to a queue that is not there.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

from __future__ import annotations

import json
from typing import Any

from localstack.services.sqs.exceptions import InvalidParameterValueException
from localstack.services.sqs.models import sqs_stores


def verify(account: str, region: str, name: str, attributes: Any) -> None:
    """Raises InvalidParameterValueException where the attributes name a dead-letter queue that is missing, of the other type, or closed to this queue."""
    written = (attributes or {}).get("RedrivePolicy")
    if not written:
        return
    try:
        target = str(json.loads(written)["deadLetterTargetArn"])
    except (ValueError, TypeError, KeyError):
        # LocalStack says what is wrong with it.
        return
    dead = sqs_stores[account][region].queues.get(target.rpartition(":")[2])
    why = _refusal(dead, target, f"arn:aws:sqs:{region}:{account}:{name}")
    if why:
        raise InvalidParameterValueException(f"Value {written} for parameter RedrivePolicy is invalid. Reason: {why}")


def _refusal(dead: Any, target: str, source_arn: str) -> str:
    if dead is None or dead.arn != target:
        return "Dead letter target does not exist."
    if dead.name.endswith(".fifo") != source_arn.endswith(".fifo"):
        return "Dead-letter queue must be same type of queue as the source."
    try:
        allowed = json.loads(dead.attributes.get("RedriveAllowPolicy") or "{}")
    except ValueError:
        allowed = {}
    permission = allowed.get("redrivePermission", "allowAll")
    if permission == "denyAll" or (permission == "byQueue" and source_arn not in allowed.get("sourceQueueArns", ())):
        return "The dead-letter queue does not allow this queue as its source."
    return ""
