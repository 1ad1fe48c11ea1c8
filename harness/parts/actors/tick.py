"""Fires an EventBridge schedule now, so that a run need not wait for the clock.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from harness.errors import UnknownVerdictError
from harness.parts.ports import Actor, Context

if TYPE_CHECKING:
    from collections.abc import Iterator


class Tick(Actor):
    """Sends the scheduled event of the rule `rule` to all its targets (Lambda, SQS, Step Functions), `times` times."""

    rule: str
    bus: str = "default"
    times: Annotated[int, Field(ge=1, le=1000)] = 1

    def open(self, context: Context) -> Iterator[str | None]:
        """Yields once per tick. Raises UnknownVerdictError for a target that it cannot reach."""
        name = self.rule.rsplit("/", 1)[-1]
        targets = context.clients("events").list_targets_by_rule(Rule=name, EventBusName=self.bus)["Targets"]
        for number in range(self.times):
            context.check()
            for target in targets:
                _fire(context, target, target.get("Input") or json.dumps(_event(context, name)))
            if targets:
                yield f"fired {name} ({number + 1} of {self.times}) at {len(targets)} targets"


def _event(context: Context, rule: str) -> dict[str, Any]:
    region = context.clients.region
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": context.account,
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": [f"arn:aws:events:{region}:{context.account}:rule/{rule}"],
        "detail": {},
    }


def _fire(context: Context, target: dict[str, Any], event: str) -> None:
    arn = target["Arn"]
    match arn.split(":")[2]:
        case "lambda":
            context.clients("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=event.encode())
        case "states":
            context.clients("stepfunctions").start_execution(stateMachineArn=arn, input=event)
        case "sqs":
            sqs = context.clients("sqs")
            sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"], MessageBody=event)
        case service:
            raise UnknownVerdictError(f"tick: the target {arn} is of {service}, which cannot be fired by hand")
