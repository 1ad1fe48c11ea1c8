"""What services keep in LocalStack and in moto, and where: it has moved from release to release.

A place that is missing stops the start of the emulator, as a patch that does not apply does. Otherwise what has moved would look like a service that is
never used: nothing under way, no role, no schedule.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.inside.patches.declare import NAME, missing

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Kept:
    """Some variable. `places` are a module, the name of the variable there, and a name that shows whether it is the right one; the newest is first."""

    places: tuple[tuple[str, str, str], ...]

    @functools.cached_property
    def place(self) -> tuple[str, str] | None:
        """Returns the module and the name that the installed LocalStack has; None where it has none of them."""
        found = (place for place in self.places if not list(missing(place[0], {place[1]: NAME, place[2]: NAME})))
        return next(((module, name) for module, name, _ in found), None)

    def look(self) -> Any:
        """Returns the variable's value; None as long as the module is not loaded: the service has not been used."""
        assert self.place, self.places
        module, name = self.place
        return getattr(sys.modules.get(module), name, None)

    def own(self) -> Any:
        """Returns LocalStack's stores; None where moto keeps the value."""
        assert self.place, self.places
        return self.look() if self.place[0].startswith("localstack.") else None

    def stores(self, account: str | None) -> list[tuple[str, str, Any]]:
        """Returns account, region and store, of one account or of all."""
        found = self.look()
        return [one for one in found.iter_stores() if account in {None, one[0]}] if found is not None else []


BUCKETS = Kept((("localstack.services.s3.models", "s3_stores", "S3Store.global_bucket_map"),))
EXECUTIONS = Kept(
    (
        ("localstack.services.stepfunctions.backend.models", "sfn_stores", "SFNStore.executions"),
        ("localstack.services.stepfunctions.backend.store", "sfn_stores", "SFNStore.executions"),
    )
)
FUNCTIONS = Kept((("localstack.services.lambda_.invocation.models", "lambda_stores", "LambdaStore.event_source_mappings"),))
QUEUES = Kept((("localstack.services.sqs.models", "sqs_stores", "SqsStore.queues"),))
ROLES = Kept(
    (
        ("localstack.services.iam.models", "iam_stores", "IamStore.ROLES"),
        ("moto.iam.models", "iam_backends", "IAMBackend.get_role_by_arn"),
    )
)
RULES = Kept((("localstack.services.events.models", "events_stores", "EventsStore.event_buses"),))
SCHEDULES = Kept((("moto.scheduler.models", "scheduler_backends", "EventBridgeSchedulerBackend.create_schedule"),))
SESSIONS = Kept(
    (
        ("localstack.services.sts.models", "sts_stores", "STSStore.credentials"),
        ("moto.sts.models", "sts_backends", "STSBackend.get_assumed_role_from_access_key"),
    )
)
TOPICS = Kept(
    (
        ("localstack.services.sns.models", "sns_stores", "SnsStore.topics"),
        ("moto.sns.models", "sns_backends", "SNSBackend.create_topic"),
    )
)


def problems() -> Iterator[str]:
    """Yields what is in none of its places."""
    for kept in (BUCKETS, EXECUTIONS, FUNCTIONS, QUEUES, ROLES, RULES, SCHEDULES, SESSIONS, TOPICS):
        if kept.place is None:
            yield " and ".join(f"{module} has no {name} with {shown}" for module, name, shown in kept.places)
