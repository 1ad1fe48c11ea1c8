"""Patches of EventBridge."""

from __future__ import annotations

import copy
import functools
import json
from datetime import datetime
from typing import Any
from uuid import uuid4

from harness.inside.patches.declare import NAME, patch


@patch("localstack.services.events.target", {"TargetSender.process_event": ("self", "event", "trace_header")})
def delivery(module: Any) -> None:
    """LocalStack tries a target once, and knows no dead-letter queue."""
    sender = module.TargetSender
    sender.process_event_once = once = sender.process_event

    def process_event(self: Any, event: Any, trace_header: Any) -> None:
        from harness.inside.events.delivery import delivered  # noqa: PLC0415

        def send() -> None:
            text = self.target.get("Input")
            if text and not _is_json(text):
                self.send_event(text, trace_header)
            else:
                once(self, copy.deepcopy(event), trace_header)

        delivered(send, self.account_id, self.target, self.rule_arn, event)

    sender.process_event = process_event


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@patch(
    "localstack.services.events.target",
    {
        "get_template_replacements": ("input_transformer", "event"),
        "replace_template_placeholders": ("template", "replacements"),
    },
)
def templates(module: Any) -> None:
    """LocalStack drops an event whose template has a number within a text."""
    from harness.inside.events import templates as ours  # noqa: PLC0415

    module.get_template_replacements = ours.values
    module.replace_template_placeholders = ours.filled


@patch(
    "localstack.services.events.target",
    {
        "to_json_str": NAME,
        "StatesTargetSender.send_event": ("self", "event", "trace_header"),
        "KinesisTargetSender.send_event": ("self", "event", "trace_header"),
    },
)
def inputs(module: Any) -> None:
    """LocalStack names an execution by the event's id: one whose input is made of the event has none, and of two rules only the first starts one."""
    from harness.inside.events.delivery import AsItIs  # noqa: PLC0415

    serialized = module.to_json_str

    def to_json_str(value: Any, *args: Any, **kwargs: Any) -> str:
        return str(value) if isinstance(value, AsItIs) else serialized(value, *args, **kwargs)

    def start(self: Any, event: Any, _trace_header: Any) -> None:
        self.service = "stepfunctions"
        self.client.start_execution(stateMachineArn=self.target["Arn"], name=str(uuid4()), input=to_json_str(event))

    def put(self: Any, event: Any, _trace_header: Any) -> None:
        path = (self.target.get("KinesisParameters") or {}).get("PartitionKeyPath")
        key = module.collections.get_safe(event, path) if path and isinstance(event, dict) else None
        self.client.put_record(
            StreamName=self.target["Arn"].split("/")[-1],
            Data=to_json_str(event).encode(),
            PartitionKey=str(key if key is not None else _id_of(event)),
        )

    module.to_json_str = to_json_str
    module.StatesTargetSender.send_event = start
    module.KinesisTargetSender.send_event = put


def _id_of(event: Any) -> str:
    return str(event.get("id") or uuid4()) if isinstance(event, dict) else str(uuid4())


@patch(
    "localstack.services.events.provider",
    {"EventsProvider._process_entry": ("self", "entry", "processed_entries", "failed_entry_count", "context")},
)
def sources(module: Any) -> None:
    """LocalStack takes events from everybody in the name of AWS's services."""
    process = module.EventsProvider._process_entry  # noqa: SLF001

    def process_entry(self: Any, entry: Any, processed_entries: Any, failed_entry_count: Any, context: Any) -> None:
        forged = str(entry.get("Source") or "").startswith("aws.")
        if forged and not context.is_internal_call and context.operation.name == "PutEvents":
            failed_entry_count["count"] += 1
            processed_entries.append(
                {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}
            )
            return
        process(self, entry, processed_entries, failed_entry_count, context)

    module.EventsProvider._process_entry = process_entry  # noqa: SLF001


@patch(
    "localstack.services.events.provider",
    {"EventsProvider._process_rules": ("self", "rule", "region", "account_id", "event_formatted")},
)
def rules_that_match(module: Any) -> None:
    """LocalStack's disabled rules match, and a replay goes to all rules."""
    process = module.EventsProvider._process_rules  # noqa: SLF001

    def process_rules(self: Any, rule: Any, region: str, account_id: str, event_formatted: Any, *args: Any, **kwargs: Any) -> None:
        replay = self.get_store(region, account_id).replays.get(event_formatted.get("replay-name"))
        chosen = (replay.destination.get("FilterArns") if replay else None) or [rule.arn]
        if rule.state != "DISABLED" and rule.arn in chosen:
            process(self, rule, region, account_id, event_formatted, *args, **kwargs)

    module.EventsProvider._process_rules = process_rules  # noqa: SLF001


@patch("localstack.services.events.event_rule_engine", {"EventRuleEngine._evaluate_condition": ("self", "value", "condition")})
def conditions(module: Any) -> None:
    """LocalStack raises where a condition on text meets a number, and takes 1 for true: a batch with such a record is never delivered."""
    from harness.inside.events.conditions import matches  # noqa: PLC0415

    def evaluated(_self: Any, value: Any, condition: Any, field_exists: bool) -> bool:  # noqa: FBT001 - LocalStack's
        return matches(value, condition, field_exists=field_exists)

    module.EventRuleEngine._evaluate_condition = evaluated  # noqa: SLF001


@patch("localstack.services.events.archive", {"ArchiveService.put_events": ("self", "events")})
def archives(module: Any) -> None:
    """LocalStack archives the event that it goes on to change, and cannot replay one whose time is text."""
    original = module.ArchiveService.put_events

    def put_events(self: Any, events: Any) -> None:
        kept = [copy.deepcopy(event) for event in events]
        for event in kept:
            if isinstance(event.get("time"), str):
                event["time"] = datetime.fromisoformat(event["time"])
        original(self, kept)

    module.ArchiveService.put_events = put_events


@patch("localstack.services.events.provider", {"EventsProvider": NAME})
def processing(module: Any) -> None:
    """The newer LocalStack answers PutEvents before it has looked at the rules, and does that on a thread that nothing counts: a drain could not
    know of it."""
    from harness.inside.gauges.deliveries import in_background  # noqa: PLC0415

    if hasattr(module, "start_worker_thread"):
        # Of whatever account: the parameters are LocalStack's own.
        module.start_worker_thread = lambda function, params=None, *_args, **_named: in_background("", function, params)


@patch(
    "localstack.services.events.provider",
    {"EventsProvider.put_rule": ("self", "context", "name", "schedule_expression", "event_pattern")},
)
def patterns(module: Any) -> None:
    """LocalStack takes a rule whose event pattern is none, and which then never matches."""
    put = module.EventsProvider.put_rule

    @functools.wraps(put)
    def put_rule(self: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        from localstack.aws.api.events import InvalidEventPatternException  # noqa: PLC0415

        from harness.inside.events.conditions import problem  # noqa: PLC0415

        written = kwargs.get("event_pattern")
        if written:
            try:
                pattern = json.loads(written)
                why = problem(pattern) if isinstance(pattern, dict) else "Filter is not an object"
            except ValueError:
                why = "Filter is not valid JSON"
            if why:
                raise InvalidEventPatternException(f"Event pattern is not valid. Reason: {why}")
        return put(self, context, *args, **kwargs)

    module.EventsProvider.put_rule = put_rule


@patch(
    "moto.scheduler.models",
    {
        "EventBridgeSchedulerBackend.create_schedule": NAME,
        "EventBridgeSchedulerBackend.delete_schedule_group": ("self", "name"),
        "EventBridgeSchedulerBackend.update_schedule": NAME,
    },
)
def schedules(module: Any) -> None:
    """Moto fails in itself where the group is not there, and removes the default one. An update without a state leaves one that never fires."""
    backend = module.EventBridgeSchedulerBackend
    create, delete_group, update = backend.create_schedule, backend.delete_schedule_group, backend.update_schedule

    @functools.wraps(create)
    def created(self: Any, *args: Any, group_name: Any = None, **kwargs: Any) -> Any:
        return create(self, *args, group_name=self.get_schedule_group(group_name).name, **kwargs)

    @functools.wraps(delete_group)
    def deleted(self: Any, name: Any) -> None:
        if self.get_schedule_group(name).name == "default":
            raise module.ValidationException("The default schedule group cannot be deleted.")
        delete_group(self, name)

    @functools.wraps(update)
    def updated(self: Any, *args: Any, state: Any = None, **kwargs: Any) -> Any:
        return update(self, *args, state=state or "ENABLED", **kwargs)

    backend.create_schedule, backend.delete_schedule_group, backend.update_schedule = created, deleted, updated


@patch("moto.scheduler.responses", {"EventBridgeSchedulerResponse.list_schedules": ("self",)})
def schedule_pages(module: Any) -> None:
    """Moto lists all schedules, whatever their names, on one page."""

    def list_schedules(self: Any) -> str:
        from harness.inside.events.scheduler import page  # noqa: PLC0415

        groups, state = self.querystring.get("ScheduleGroup"), self._get_param("State")
        found = [
            one
            for group in self.scheduler_backend.schedule_groups.values()
            for one in group.schedules.values()
            if (not groups or group.name in groups) and state in {None, one.state}
        ]
        shown, token = page(found, self._get_param("NamePrefix"), self._get_param("NextToken"), self._get_param("MaxResults"))
        return json.dumps({"Schedules": [one.to_dict(short=True) for one in shown], "NextToken": token})

    module.EventBridgeSchedulerResponse.list_schedules = list_schedules


PATCHES = (
    delivery,
    templates,
    rules_that_match,
    inputs,
    sources,
    conditions,
    archives,
    processing,
    patterns,
    schedules,
    schedule_pages,
)
