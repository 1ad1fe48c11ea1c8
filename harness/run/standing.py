"""A stack that stands for several runs, one after the other, because to deploy it costs more than to run a small load.

What an earlier run has stored is removed before the next one, and the probes of the scenario must see nothing then. Functions stay warm: what one still holds in memory
is of records that an earlier run has offered, so no id may come again. What an earlier run has changed elsewhere than in stores would stay, so nothing may change there
(see `may_stand` and `leaves_nothing`). A run that fails on a stack that stands may still pass on a new one: whoever uses it runs that again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
from botocore.exceptions import BotoCoreError, ClientError

from harness.emulator import accounts
from harness.emulator.clients import Clients
from harness.errors import UnknownVerdictError
from harness.run.drain import Rest, drain
from harness.stack import deploy as stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.parts.ports import Context, Probe
    from harness.scenario.scenario import Scenario

_TIMEOUT_S = 30
_KEYS_IN_A_REQUEST = 25
_TABLES = {"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"}
# They look at what was stored or observed in this run, and at nothing that stays.
_CHECKS = {"sql", "archive"}
# They act on what is in stores, or on an execution.
_ACTORS = {"approve", "redrive", "tick"}
# The beginnings of operations that only read, or that change what `empty` removes, what is passed on and ends, and numbers that no check here looks at. Others, such as
# PutRule, UpdateFunctionConfiguration or CreatePartition, change what the next schedule would find.
_READS = ("Get", "List", "Describe", "BatchGet", "Query", "Scan", "Head", "Select", "Search")
_CHANGES: Mapping[str, tuple[str, ...]] = {
    "s3": (
        "PutObject",
        "CopyObject",
        "DeleteObject",
        "UploadPart",
        "CreateMultipartUpload",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
    ),
    "dynamodb": ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "Execute", "BatchExecuteStatement"),
    "sqs": ("SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "PurgeQueue"),
    "sns": ("Publish",),
    "kinesis": ("PutRecord",),
    "firehose": ("PutRecord",),
    "events": ("PutEvents",),
    "lambda": ("Invoke",),
    "stepfunctions": ("StartExecution", "StartSyncExecution", "StopExecution", "SendTask"),
    "ses": ("Send",),
    "sesv2": ("Send",),
    "cloudwatch": ("PutMetricData",),
    "logs": ("PutLogEvents", "CreateLogStream"),
    "sts": ("AssumeRole",),
}


@dataclass(slots=True)
class Standing:
    """A stack of an account, once a run has deployed it; `name` is known as soon as that begins. `unused` says whether nothing was in the account before, `scheduled` are the
    ARNs of the schedules that were there, `offered` the ids that its runs have offered."""

    account: str
    name: str = ""
    stack: stacks.Stack | None = None
    unused: bool = False
    scheduled: frozenset[str] = frozenset()
    offered: set[str] = field(default_factory=set)

    def empty(self, endpoint: str, check: Callable[[], None]) -> None:
        """Removes what is in its buckets, tables and queues, and waits until nothing is under way. Raises UnknownVerdictError where that cannot be known, botocore's errors
        where something cannot be removed."""
        clients = Clients(endpoint, self.account)
        for kind, made in _resources(clients("cloudformation"), self.name):
            if kind == "AWS::S3::Bucket":
                stacks.empty_bucket(clients("s3"), made)
            elif kind in _TABLES:
                _empty_table(clients("dynamodb"), made)
            elif kind == "AWS::SQS::Queue":
                clients("sqs").purge_queue(QueueUrl=made)
        *_, rest = drain(endpoint, self.account, _TIMEOUT_S, check)
        if not isinstance(rest, Rest) or not rest.known:
            raise UnknownVerdictError("the stack does not come to rest once it is empty")

    def has_new_ids(self, ledger: Path) -> bool:
        """Notes the ids that a run has offered. Returns whether no earlier run has offered one of them; False too where the ledger cannot be read."""
        if not ledger.exists():
            # The run has ended before its load.
            return True
        try:
            with duckdb.connect() as db:
                ids = {str(row[0]) for row in db.execute("SELECT record_id FROM read_parquet($1)", [str(ledger)]).fetchall()}
        except duckdb.Error:
            return False
        is_new = self.offered.isdisjoint(ids)
        self.offered |= ids
        return is_new

    def end(self, endpoint: str) -> None:
        """Deletes the stack, and all else of its account where nothing else was or is there. Raises as `empty` does."""
        clients = Clients(endpoint, self.account)
        try:
            if self.name:
                stacks.delete(clients, self.name)
                if self.unused and stacks.is_empty(clients):
                    accounts.forget(endpoint, self.account)
        finally:
            clients.close()


def may_stand(scenario: Scenario) -> bool:
    """Returns whether runs of a scenario may share a stack: nothing in it looks at what stays elsewhere than in stores, such as an alarm, or changes it, such as a parameter."""
    setup = scenario.setup
    return (
        all(check.kind in _CHECKS for check in scenario.checks)
        and all(actor.kind in _ACTORS for actor in scenario.actors)
        and not (setup.parameters or setup.secrets)
    )


def leaves_nothing(call: str) -> bool:
    """Returns whether a call of a function, such as s3.PutObject, leaves nothing beyond what `empty` removes. What goes on by itself, such as an execution, ends before."""
    service, _, operation = call.partition(".")
    return operation.startswith((*_READS, *_CHANGES.get(service, ())))


def require_empty(probes: Sequence[Probe], context: Context) -> None:
    """Raises UnknownVerdictError where a probe sees anything before the load."""
    for probe in probes:
        if (seen := next(iter(probe.open(context)), None)) is not None:
            raise UnknownVerdictError(f"an earlier run of this stack has left something at {seen.place}")


def _resources(cloudformation: Any, stack: str) -> Iterator[tuple[str, str]]:
    """Yields type and physical id of the resources of a stack, and of those that are nested in it."""
    for resource in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]:
        made = resource.get("PhysicalResourceId")
        if made and resource["ResourceType"] == "AWS::CloudFormation::Stack":
            yield from _resources(cloudformation, made)
        elif made:
            yield resource["ResourceType"], made


def _empty_table(dynamodb: Any, table: str) -> None:
    names = [key["AttributeName"] for key in dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]]
    shown = {f"#{number}": name for number, name in enumerate(names)}
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table, ProjectionExpression=",".join(shown), ExpressionAttributeNames=shown
    )
    keys = [item for page in pages for item in page["Items"]]
    for first in range(0, len(keys), _KEYS_IN_A_REQUEST):
        left = {table: [{"DeleteRequest": {"Key": key}} for key in keys[first : first + _KEYS_IN_A_REQUEST]]}
        while left:
            left = dynamodb.batch_write_item(RequestItems=left).get("UnprocessedItems")


UNUSABLE = (UnknownVerdictError, ClientError, BotoCoreError)
"""What `empty` raises where the next run needs a new stack."""
