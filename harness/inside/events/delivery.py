"""Delivery of an event to a target: again for as long as its retry policy says, then to its dead-letter queue.

LocalStack tries once, and drops the event. Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from localstack.aws.connect import connect_to

from harness.inside.gauges.deliveries import in_background
from harness.inside.sqs.urls import url_of

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = logging.getLogger(__name__)

MAX_ATTEMPTS, MAX_AGE_S = 185, 24 * 3600
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
# What another attempt cannot mend: the target is gone, or may not be reached.
_FINAL = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "ResourceNotFoundException", "ResourceNotFound", "NotFound",
        "NotFoundException", "StateMachineDoesNotExist", "AccessDenied", "AccessDeniedException", "NoSuchEntity", "InvalidParameterValueException",
    }
)  # fmt: skip


class AsItIs(str):
    """A text that a target gets as it is, not as a JSON string."""

    __slots__ = ()


def delivered(send: Callable[[], None], account: str, target: Any, rule_arn: str, event: Any) -> None:
    """Sends an event. Where that fails, a thread sends it again; the thread counts as a delivery under way."""
    try:
        send()
    except Exception as error:  # noqa: BLE001 - whatever the target answers is a failed attempt
        LOG.info("Target %s of %s: %s", target["Arn"], rule_arn, error)
        in_background(account, _again, send, account, target, rule_arn, event, error)


def _again(send: Callable[[], None], account: str, target: Any, rule_arn: str, event: Any, error: Exception) -> None:
    policy = target.get("RetryPolicy") or {}
    attempts = policy.get("MaximumRetryAttempts", MAX_ATTEMPTS)
    give_up_at = time.monotonic() + policy.get("MaximumEventAgeInSeconds", MAX_AGE_S)
    wait_s, made = FIRST_WAIT_S, 0
    while made < attempts and code_of(error) not in _FINAL and time.monotonic() + wait_s < give_up_at:
        time.sleep(wait_s)
        wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        made += 1
        try:
            send()
        except Exception as failure:  # noqa: BLE001 - the same
            error = failure
        else:
            return
    exhausted = "RetriesExhausted" if code_of(error) not in _FINAL else "NonRetriable"
    _bury(account, target, rule_arn, event, error, made, exhausted)


def code_of(error: Exception) -> str:
    """Returns the error code of an exception of boto3, else the name of its class."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


def _bury(account: str, target: Any, rule_arn: str, event: Any, error: Exception, attempts: int, condition: str) -> None:
    """Sends an event to the target's dead-letter queue, with what AWS says of it; without a queue the event is dropped."""
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue:
        LOG.warning("An event for %s is dropped after %d attempts: %s", target["Arn"], attempts + 1, error)
        return
    parts = queue.split(":")
    sqs = connect_to(aws_access_key_id=parts[4], region_name=parts[3]).sqs
    attributes = {
        "RULE_ARN": rule_arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": code_of(error),
        "ERROR_MESSAGE": str(error)[:1000],
        "RETRY_ATTEMPTS": str(attempts),
        "EXHAUSTED_RETRY_CONDITION": condition,
    }
    body = target["Input"] if target.get("Input") else json.dumps(event, default=str)
    try:
        described = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        sqs.send_message(QueueUrl=url_of(queue), MessageBody=body, MessageAttributes=described)
    except (ClientError, BotoCoreError) as failure:
        LOG.warning("The dead-letter queue %s of account %s cannot be reached: %s", queue, account, failure)
