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

from harness.aws.stack import WAITING, made
from harness.emulator.schedules import Schedule
from harness.errors import UnknownVerdictError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.aws.stack import Made
    from harness.emulator.clients import Clients

_HELD = "schedules.json"
_UPDATED = (
    "Name", "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "EndDate", "Description", "KmsKeyArn", "Target",
    "FlexibleTimeWindow", "ActionAfterCompletion",
)  # fmt: skip
# So many objects and items are compared at most: beyond it nothing is said.
_BOUND = 1_000_000


class AwsSchedules:
    """The schedules of one stack: what harness/emulator/schedules.py is to an emulator. `run_dir` keeps which of them were held."""

    def __init__(self, clients: Clients, stack: str, run_dir: Path) -> None:
        self._clients = clients
        self._stack = stack
        self._held = run_dir / _HELD

    def hold(self) -> None:
        """Disables the enabled schedules of the stack: what AWS fires by itself would never let a pipeline rest. They are fired from here. Raises botocore's errors, and
        UnknownVerdictError for a schedule that cannot be found."""
        of_stack = made(self._clients, self._stack)
        self._held.write_text(json.dumps([*self._rules(of_stack), *self._of_scheduler(of_stack)], default=str), encoding="utf-8")

    def schedules(self) -> tuple[list[Schedule], int]:
        """Returns the schedules that were held, and a number that is another one where something else is stored. Raises UnknownVerdictError where AWS does not say."""
        found = [_schedule(one["arn"], one["name"], one["expression"]) for one in self._kept()]
        try:
            return found, _stored(self._clients, made(self._clients, self._stack)) if found else 0
        except (ClientError, BotoCoreError) as error:
            raise UnknownVerdictError(f"what {self._stack} stores is not told: {error}") from error

    def fire(self, arn: str) -> None:
        """Sends all targets of a schedule their event, with the credentials of the run. Raises UnknownVerdictError for a target that cannot be reached, for one of another service than
        Lambda, SQS and Step Functions, and for one whose event EventBridge would make of another."""
        for target in (target for one in self._kept() if one["arn"] == arn for target in one["targets"]):
            if "InputTransformer" in target or "InputPath" in target:
                raise UnknownVerdictError(
                    f"what EventBridge makes of the event for {target['Arn']} (InputTransformer, InputPath) is not known here"
                )
            try:
                self._send(target, target.get("Input") or json.dumps(self._event(arn)))
            except (ClientError, BotoCoreError) as error:
                raise UnknownVerdictError(f"{target['Arn']}: {error}") from error

    def _kept(self) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] = json.loads(self._held.read_text(encoding="utf-8"))
        return kept

    def _rules(self, of_stack: Made) -> Iterator[dict[str, Any]]:
        events = self._clients("events")
        for identity in of_stack.of("AWS::Events::Rule"):
            # That of a rule on another bus than the default one begins with the bus.
            bus, _, name = identity.rpartition("|")
            named = {"EventBusName": bus} if bus else {}
            rule = events.describe_rule(Name=name, **named)
            if rule.get("ScheduleExpression") and rule["State"] == "ENABLED":
                targets = events.list_targets_by_rule(Rule=name, **named)["Targets"]
                events.disable_rule(Name=name, **named)
                yield {"arn": rule["Arn"], "name": name, "expression": rule["ScheduleExpression"], "targets": targets}

    def _of_scheduler(self, of_stack: Made) -> Iterator[dict[str, Any]]:
        scheduler = self._clients("scheduler")
        for identity in of_stack.of("AWS::Scheduler::Schedule"):
            name = identity.rpartition("|")[2]
            # The id has no group, and each group may have one of this name.
            pages = scheduler.get_paginator("list_schedules").paginate(NamePrefix=name)
            groups = [one["GroupName"] for page in pages for one in page["Schedules"] if one["Name"] == name]
            if len(groups) != 1:
                raise UnknownVerdictError(f"which schedule {name} is the stack's cannot be told: {len(groups)} groups have one")
            one = scheduler.get_schedule(Name=name, GroupName=groups[0])
            if one["State"] == "ENABLED":
                scheduler.update_schedule(**{key: one[key] for key in _UPDATED if key in one}, State="DISABLED")
                yield {"arn": one["Arn"], "name": name, "expression": one["ScheduleExpression"], "targets": [one["Target"]]}

    def _send(self, target: dict[str, Any], text: str) -> None:
        arn = target["Arn"]
        of_stack = made(self._clients, self._stack)
        own = {*of_stack.machines, *(url.rpartition("/")[2] for url in of_stack.queues), *of_stack.functions}
        if (arn not in own and own.isdisjoint(arn.split(":")[5:])) or arn.split(":")[3:5] != [
            self._clients.region,
            self._clients.account,
        ]:
            raise UnknownVerdictError(f"{arn} is nothing that the stack has made: it is not fired from here")
        match arn.split(":")[2]:
            case "lambda":
                self._clients("lambda").invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=text.encode())
            case "states":
                self._clients("stepfunctions").start_execution(stateMachineArn=target["Arn"], input=text)
            case "sqs":
                sqs = self._clients("sqs")
                url = sqs.get_queue_url(QueueName=target["Arn"].rpartition(":")[2])["QueueUrl"]
                sqs.send_message(QueueUrl=url, MessageBody=text, **(target.get("SqsParameters") or {}))
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
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(WAITING))["Attributes"]
        whole.update(f"{url}={sum(int(told[name]) for name in WAITING)}\n".encode())
    return int.from_bytes(whole.digest()[:8])


def _within(count: int) -> None:
    if count > _BOUND:
        raise UnknownVerdictError(
            f"more than {_BOUND:,} objects and items are stored: whether a schedule changes them is not compared"
        )
