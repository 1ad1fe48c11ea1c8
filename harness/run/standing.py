"""A stack that stands for several runs, one after the other, because to deploy it costs more than to run a small load.

What an earlier run has stored is removed before the next one, and the probes of the scenario must see nothing then. Functions stay warm: what one still holds in memory
is of records that an earlier run has offered, so no id may come again. A run of a stack that stands can thus fail where one of a new stack passes, and not the other way
round: whoever uses it runs again what fails."""

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
from harness.stack.resources import made_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harness.parts.ports import Context, Probe
    from harness.scenario.scenario import Scenario

_TIMEOUT_S = 30
_KEYS_IN_A_REQUEST = 25
_TABLES = {"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"}
# They look at what was stored or observed in this run, and at nothing that stays.
_CHECKS = {"sql", "archive"}


@dataclass(slots=True)
class Standing:
    """A stack of an account, once a run has deployed it. `scheduled` are the ARNs of the schedules that were there before it, `offered` the ids that its runs have offered."""

    account: str
    stack: stacks.Stack | None = None
    scheduled: frozenset[str] = frozenset()
    offered: set[str] = field(default_factory=set)

    def empty(self, endpoint: str, check: Callable[[], None]) -> None:
        """Removes what is in its buckets, tables and queues, and waits until nothing is under way. Raises UnknownVerdictError where that cannot be known, botocore's errors
        where something cannot be removed."""
        clients = Clients(endpoint, self.account)
        for resource in list(made_resources(clients)):
            if resource.type == "AWS::S3::Bucket":
                stacks.empty_bucket(clients("s3"), resource.made)
            elif resource.type in _TABLES:
                _empty_table(clients("dynamodb"), resource.made)
            elif resource.type == "AWS::SQS::Queue":
                clients("sqs").purge_queue(QueueUrl=resource.made)
        *_, rest = drain(endpoint, self.account, _TIMEOUT_S, check)
        if not isinstance(rest, Rest) or not rest.known:
            raise UnknownVerdictError("the stack does not come to rest once it is empty")

    def has_new_ids(self, ledger: Path) -> bool:
        """Notes the ids that a run has offered. Returns whether no earlier run has offered one of them."""
        if not ledger.exists():
            # The run has ended before its load.
            return True
        with duckdb.connect() as db:
            ids = {str(row[0]) for row in db.execute("SELECT record_id FROM read_parquet($1)", [str(ledger)]).fetchall()}
        is_new = self.offered.isdisjoint(ids)
        self.offered |= ids
        return is_new

    def end(self, endpoint: str) -> None:
        """Deletes the stack, and all else of its account."""
        if self.stack is not None:
            stacks.delete(Clients(endpoint, self.account), self.stack.name)
            accounts.forget(endpoint, self.account)
        Clients(endpoint, self.account).close()


def may_stand(scenario: Scenario) -> bool:
    """Returns whether runs of a scenario may share a stack: nothing in it looks at what an earlier run has left elsewhere than in stores, such as a metric or an alarm."""
    return all(check.kind in _CHECKS for check in scenario.checks)


def require_empty(probes: Sequence[Probe], context: Context) -> None:
    """Raises UnknownVerdictError where a probe sees anything before the load."""
    for probe in probes:
        if (seen := next(iter(probe.open(context)), None)) is not None:
            raise UnknownVerdictError(f"an earlier run of this stack has left something at {seen.place}")


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
