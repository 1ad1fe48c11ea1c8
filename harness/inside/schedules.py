"""/_pipeproof/schedules?account=…: what the clock would start. GET lists it, POST with &arn=… starts one of it now.

These are the enabled rules of EventBridge with a schedule, and the enabled schedules of EventBridge Scheduler, which LocalStack only keeps.
The answer of both is {schedules: [{arn, name, expression, once}], changes}; `changes` is described in gauges/requests.py.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from localstack.aws.connect import connect_to
from localstack.http import Response, route
from localstack.services.events.target import TargetSenderFactory
from localstack.utils.xray.trace_header import TraceHeader

from harness.inside.events.delivery import AsItIs
from harness.inside.gauges import requests
from harness.inside.kept import RULES, SCHEDULES
from harness.inside.understood import understood

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack.http import Request

PATH = "/_pipeproof/schedules"
_SDK = "arn:aws:scheduler:::aws-sdk:"
_over: set[str] = set()


@dataclass(frozen=True, slots=True)
class _Schedule:
    """A rule or a schedule. `source` is what its event names as its source."""

    arn: str
    name: str
    expression: str
    account: str
    region: str
    targets: tuple[dict[str, Any], ...]
    source: str

    @property
    def once(self) -> bool:
        return self.expression.startswith("at(")

    def fire(self) -> None:
        """Sends its event to all its targets. Raises whatever a target answers."""
        if self.once:
            _over.add(self.arn)
        for target in self.targets:
            if target["Arn"].startswith(_SDK):
                self._call(target)
                continue
            sender = TargetSenderFactory(target, self.arn, self.name, self.region, self.account).get_target_sender()
            trace_header = TraceHeader().ensure_root_exists()
            if self.source == "aws.scheduler" and target.get("Input"):
                sender.send_event(AsItIs(self._filled(target["Input"])), trace_header)
            else:
                sender.process_event_once(self.event(), trace_header=trace_header)

    def _filled(self, text: str) -> str:
        """Returns an input with the values of its context attributes.

        https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html"""
        values = {
            "schedule-arn": self.arn,
            "scheduled-time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "execution-id": str(uuid4()),
            "attempt-number": "1",
        }
        for name, value in values.items():
            text = text.replace(f"<aws.scheduler.{name}>", value)
        return text

    def event(self) -> dict[str, Any]:
        """Returns the event that targets without an input get."""
        return {
            "version": "0",
            "id": str(uuid4()),
            "detail-type": "Scheduled Event",
            "source": self.source,
            "account": self.account,
            "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "region": self.region,
            "resources": [self.arn],
            "detail": {},
        }

    def _call(self, target: dict[str, Any]) -> None:
        """Calls the operation that a universal target names, with the target's input as its parameters."""
        service, operation = target["Arn"].removeprefix(_SDK).split(":")
        client = connect_to(aws_access_key_id=self.account, region_name=self.region).get_client(service)
        client._make_api_call(operation[:1].upper() + operation[1:], json.loads(target.get("Input") or "{}"))  # noqa: SLF001


def _rules(account: str) -> Iterator[_Schedule]:
    for owner, region, store in RULES.stores(account):
        for bus in list(store.event_buses.values()):
            for rule in list(bus.rules.values()):
                if rule.schedule_expression and rule.state == "ENABLED":
                    targets = tuple(rule.targets.values())
                    yield _Schedule(rule.arn, rule.name, rule.schedule_expression, owner, region, targets, "aws.events")


def _schedules(account: str) -> Iterator[_Schedule]:
    backends = SCHEDULES.look()
    if backends is None or account not in backends:
        return
    for region, backend in list(backends[account].items()):
        for group in list(backend.schedule_groups.values()):
            for one in list(group.schedules.values()):
                if one.state == "ENABLED" and one.arn not in _over:
                    yield of_scheduler(account, region, one)


def of_scheduler(account: str, region: str, one: Any) -> _Schedule:
    """Returns a schedule of EventBridge Scheduler, as moto keeps it."""
    return _Schedule(one.arn, one.name, one.schedule_expression, account, region, (one.target,), "aws.scheduler")


def is_over(arn: str) -> bool:
    """Returns whether a schedule that names a single time has been started."""
    return arn in _over


def all_of(account: str) -> list[_Schedule]:
    """Returns what the clock would start in an account."""
    return [*_rules(account), *_schedules(account)]


@route(PATH, methods=["GET", "POST"])
@understood
def serve(request: Request) -> Response:
    """Answers on LocalStack's edge router; 404 for an ARN that is not there, 502 with the reason where a target cannot be reached."""
    account = request.args.get("account", "")
    found = all_of(account)
    if request.method == "POST":
        wanted = request.args.get("arn", "")
        chosen = next((schedule for schedule in found if schedule.arn == wanted), None)
        if chosen is None:
            return Response.for_json({"error": f"there is no enabled schedule {wanted}"}, status=404)
        try:
            chosen.fire()
        except Exception as error:  # noqa: BLE001 - whatever the target answers, the harness must be told
            return Response.for_json({"error": f"{type(error).__name__}: {error}"}, status=502)
    listed = [{"arn": s.arn, "name": s.name, "expression": s.expression, "once": s.once} for s in found]
    return Response.for_json({"schedules": listed, "changes": requests.changes(account)})
