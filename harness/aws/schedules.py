"""What the clock starts in a stack on AWS: read from EventBridge, and started now by sending each target what its schedule would send.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from harness.aws.stack import made
from harness.emulator.schedules import Schedule
from harness.errors import UnknownVerdictError

if TYPE_CHECKING:
    from harness.aws.stack import Made
    from harness.emulator.clients import Clients

_BOUND = 1_000_000
"""So many objects or items are compared at most: beyond it nothing is said."""


class AwsSchedules:
    """The schedules of one stack: what harness/emulator/schedules.py is to an emulator."""

    def __init__(self, clients: Clients, stack: str) -> None:
        self._clients = clients
        self._stack = stack
        self._targets: dict[str, list[dict[str, Any]]] = {}

    def schedules(self) -> tuple[list[Schedule], int]:
        """Returns the enabled schedules, and a number that is another one where something else is stored. Raises UnknownVerdictError where AWS does not say."""
        try:
            of_stack = made(self._clients, self._stack)
            found = [*self._rules(of_stack), *self._of_scheduler(of_stack)]
            return found, _stored(self._clients, of_stack) if found else 0
        except (ClientError, BotoCoreError) as error:
            raise UnknownVerdictError(f"the schedules of {self._stack} are not told: {error}") from error

    def fire(self, arn: str) -> None:
        """Sends all targets of a schedule their event. Raises UnknownVerdictError for a target that cannot be reached, and for one of another service than Lambda, SQS and Step Functions."""
        for target in self._targets.get(arn, []):
            try:
                self._send(target, target.get("Input") or json.dumps(self._event(arn)))
            except (ClientError, BotoCoreError) as error:
                raise UnknownVerdictError(f"{target['Arn']}: {error}") from error

    def _rules(self, of_stack: Made) -> list[Schedule]:
        events = self._clients("events")
        found = []
        for identity in of_stack.of("AWS::Events::Rule"):
            # That of a rule on another bus than the default one begins with the bus.
            bus, _, name = identity.rpartition("|")
            named = {"EventBusName": bus} if bus else {}
            rule = events.describe_rule(Name=name, **named)
            if rule.get("ScheduleExpression") and rule["State"] == "ENABLED":
                self._targets[rule["Arn"]] = events.list_targets_by_rule(Rule=name, **named)["Targets"]
                found.append(_schedule(rule["Arn"], name, rule["ScheduleExpression"]))
        return found

    def _of_scheduler(self, of_stack: Made) -> list[Schedule]:
        scheduler = self._clients("scheduler")
        found = []
        for identity in of_stack.of("AWS::Scheduler::Schedule"):
            group, _, name = identity.rpartition("|")
            one = scheduler.get_schedule(Name=name, **({"GroupName": group} if group else {}))
            if one["State"] == "ENABLED":
                self._targets[one["Arn"]] = [one["Target"]]
                found.append(_schedule(one["Arn"], name, one["ScheduleExpression"]))
        return found

    def _send(self, target: dict[str, Any], text: str) -> None:
        match target["Arn"].split(":")[2]:
            case "lambda":
                self._clients("lambda").invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=text.encode())
            case "states":
                self._clients("stepfunctions").start_execution(stateMachineArn=target["Arn"], input=text)
            case "sqs":
                sqs = self._clients("sqs")
                url = sqs.get_queue_url(QueueName=target["Arn"].rpartition(":")[2])["QueueUrl"]
                sqs.send_message(QueueUrl=url, MessageBody=text)
            case service:
                raise UnknownVerdictError(f"a schedule on AWS that starts {service} cannot be fired from here ({target['Arn']})")

    def _event(self, arn: str) -> dict[str, Any]:
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events" if ":events:" in arn else "aws.scheduler",
            "account": self._clients.account,
            "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "region": self._clients.region,
            "resources": [arn],
            "detail": {},
        }


def _schedule(arn: str, name: str, expression: str) -> Schedule:
    return Schedule(arn, name, expression, expression.startswith("at("))


def _stored(clients: Clients, of_stack: Made) -> int:
    """Returns a number for all that the buckets, tables and queues of a stack hold."""
    whole = hashlib.sha256()
    count = 0
    s3, dynamodb, sqs = clients("s3"), clients("dynamodb"), clients("sqs")
    for bucket in sorted(of_stack.buckets):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for one in page.get("Contents", []):
                count += 1
                whole.update(f"{bucket}/{one['Key']}={one['ETag']}\n".encode("utf-8", "surrogatepass"))
    for table in sorted(of_stack.tables):
        lines = []
        for page in dynamodb.get_paginator("scan").paginate(TableName=table):
            lines += [json.dumps(item, sort_keys=True, default=repr) for item in page["Items"]]
            count += len(page["Items"])
            _within(count)
        whole.update("\n".join([table, *sorted(lines)]).encode("utf-8", "surrogatepass"))
        _within(count)
    for url in sorted(of_stack.queues):
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        whole.update(f"{url}={told['ApproximateNumberOfMessages']}\n".encode())
    return int.from_bytes(whole.digest()[:8])


def _within(count: int) -> None:
    if count > _BOUND:
        raise UnknownVerdictError(
            f"more than {_BOUND:,} objects and items are stored: whether a schedule changes them is not compared"
        )
