"""EventBridge: patterns, targets, schedules and archives."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.conformance.functions import wait_until

PATTERNS = "eventbridge/latest/userguide/eb-create-pattern-operators.html"
RETRIES = "eventbridge/latest/userguide/eb-rule-retry-policy.html"
SCHEDULER = "scheduler/latest/UserGuide/schedule-types.html"


def send(clients, *details, source="app", kind="made"):
    entries = [{"Source": source, "DetailType": kind, "Detail": json.dumps(detail)} for detail in details]
    return clients("events").put_events(Entries=entries)


def numbers(bodies):
    return sorted(json.loads(body)["detail"]["n"] for body in bodies())


@pytest.mark.rule(PATTERNS)
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"source": ["app"], "detail": {"a": ["x"]}}, [1]),
        ({"detail": {"a": [{"prefix": "x"}]}}, [1, 2]),
        ({"detail": {"a": [{"suffix": "y"}]}}, [2]),
        ({"detail": {"a": [{"anything-but": ["x", "xy"]}]}}, [3]),
        ({"detail": {"m": [{"numeric": [">", 5, "<=", 10]}]}}, [2]),
        ({"detail": {"m": [{"exists": False}]}}, [3]),
        ({"detail": {"a": [{"equals-ignore-case": "Z"}]}}, [3]),
        ({"detail": {"a": [{"wildcard": "x*"}]}}, [1, 2]),
        ({"$or": [{"detail": {"a": ["x"]}}, {"detail": {"a": ["z"]}}]}, [1, 3]),
    ],
    ids=["equal", "prefix", "suffix", "anything-but", "numeric", "exists", "ignore case", "wildcard", "or"],
)
def test_event_patterns(clients, rule, pattern, expected):
    """An event pattern matches by its operators."""
    bodies = rule(pattern)
    send(clients, {"n": 1, "a": "x", "m": 5}, {"n": 2, "a": "xy", "m": 10}, {"n": 3, "a": "z"})
    wait_until(lambda: len(numbers(bodies)) >= len(expected), "the events", 10)
    assert numbers(bodies) == expected


@pytest.mark.rule("eventbridge/latest/userguide/eb-events-structure.html")
def test_an_event_has_what_is_documented(clients, rule):
    """An event has version, id, detail-type, source, account, time, region, resources and detail."""
    bodies = rule({"source": ["app"]})
    send(clients, {"n": 1})
    event = json.loads(wait_until(bodies, "the event")[0])
    assert (event["version"], event["source"], event["detail-type"], event["account"]) == ("0", "app", "made", clients.account)
    assert {"id", "time", "region", "resources", "detail"} <= event.keys()


@pytest.mark.rule("eventbridge/latest/userguide/eb-transform-target-input.html")
def test_an_input_transformer(clients, rule):
    """An InputTransformer makes the target's input from paths and a template."""
    transformer = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"number": <n>}'}
    bodies = rule({"source": ["app"]}, InputTransformer=transformer)
    send(clients, {"n": 7})
    assert json.loads(wait_until(bodies, "the event")[0]) == {"number": 7}


@pytest.mark.rule("eventbridge/latest/userguide/eb-transform-target-input.html")
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('"<s> is <n>"', 'a"b is 0'),
        ('{"t": "<s>-<n>", "s": <s>, "n": <n>, "l": [<s>]}', {"t": 'a"b-0', "s": 'a"b', "n": 0, "l": ['a"b']}),
        ('{"o": <o>, "missing": "<m>"}', {"o": {"k": ['a"b']}, "missing": ""}),
        ('{"rule": "<aws.events.rule-name>", "e": <aws.events.event.json>}', None),
    ],
    ids=["text", "values", "object", "event"],
)
def test_placeholders_of_an_input_template(clients, rule, template, expected):
    """Placeholders stand in texts and as values, for texts with quotes, numbers, objects, nothing, and the whole event."""
    paths = {"s": "$.detail.s", "n": "$.detail.n", "o": "$.detail.o", "m": "$.detail.missing"}
    bodies = rule({"source": ["app"]}, InputTransformer={"InputPathsMap": paths, "InputTemplate": template})
    send(clients, {"s": 'a"b', "n": 0, "o": {"k": ['a"b']}})
    (body,) = wait_until(bodies, "the event")
    if expected is None:
        made = json.loads(body)
        assert (made["rule"], made["e"]["detail"]["s"], made["e"]["source"]) == ("rule", 'a"b', "app")
    else:
        assert json.loads(body) == expected


@pytest.mark.rule("eventbridge/latest/APIReference/API_DisableRule.html")
@pytest.mark.parametrize("how", ["created", "disabled"])
def test_a_disabled_rule_does_not_match(clients, queue, how):
    """A rule that is DISABLED matches no event; one that is enabled again does."""
    events = clients("events")
    urls = {}
    for name in ("on", "off"):
        arn, urls[name] = queue(name)
        state = "DISABLED" if (name, how) == ("off", "created") else "ENABLED"
        events.put_rule(Name=name, EventPattern='{"source": ["app"]}', State=state)
        events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
    if how == "disabled":
        events.disable_rule(Name="off")
    send(clients, {"n": 1})
    wait_until(urls["on"], "the event of the rule that is enabled")
    assert urls["off"]() == []
    events.enable_rule(Name="off")
    send(clients, {"n": 2})
    (body,) = wait_until(urls["off"], "the event of the rule that is enabled again")
    assert json.loads(body)["detail"] == {"n": 2}


@pytest.mark.rule("eventbridge/latest/APIReference/API_PutEvents.html")
def test_a_wrong_entry_fails_alone(clients, rule):
    """PutEvents answers per entry: one without a source fails, the others are taken."""
    bodies = rule({"source": ["app"]})
    answer = clients("events").put_events(
        Entries=[
            {"Source": "app", "DetailType": "d", "Detail": '{"n": 1}'},
            {"Source": "app", "DetailType": "d", "Detail": "no json"},
        ]
    )
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][1]["ErrorCode"] == "MalformedDetail"
    assert wait_until(lambda: numbers(bodies) == [1], "the other one")


@pytest.mark.rule(RETRIES)
def test_an_event_that_cannot_be_delivered_goes_to_the_dead_letter_queue(clients, queue):
    """An event that a target does not take goes to the target's dead-letter queue, with the reason in attributes."""
    dead, bodies = queue("dead")
    missing = f"arn:aws:sqs:us-east-1:{clients.account}:missing"
    clients("events").put_rule(Name="rule", EventPattern='{"source": ["app"]}')
    target = {
        "Id": "1",
        "Arn": missing,
        "DeadLetterConfig": {"Arn": dead},
        "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
    }
    clients("events").put_targets(Rule="rule", Targets=[target])
    send(clients, {"n": 1})
    assert wait_until(lambda: numbers(bodies) == [1], "the dead letter", 30)


@pytest.mark.rule("eventbridge/latest/userguide/eb-archive-event.html")
def test_an_archive_is_replayed(clients, queue):
    """An archive keeps the events that match, and a replay sends them again."""
    arn, bodies = queue()
    client = clients("events")
    bus = f"arn:aws:events:us-east-1:{clients.account}:event-bus/default"
    client.create_archive(ArchiveName="archive", EventSourceArn=bus, EventPattern='{"source": ["app"]}')
    send(clients, {"n": 1}, {"n": 2})
    wait_until(lambda: client.describe_archive(ArchiveName="archive")["EventCount"] == 2, "two events in the archive", 20)
    client.put_rule(Name="rule", EventPattern='{"source": ["app"]}')
    client.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn}])
    now = datetime.now(UTC)
    client.start_replay(
        ReplayName="replay", EventSourceArn=f"arn:aws:events:us-east-1:{clients.account}:archive/archive", EventStartTime=now - timedelta(hours=1),
        EventEndTime=now + timedelta(minutes=1), Destination={"Arn": bus},
    )  # fmt: skip
    wait_until(lambda: len(bodies()) >= 2, "the events", 30)
    events = [json.loads(body) for body in bodies()]
    assert sorted(event["detail"]["n"] for event in events) == [1, 2]
    assert {event.get("replay-name") for event in events} == {"replay"}
    assert client.describe_replay(ReplayName="replay")["State"] == "COMPLETED"


@pytest.mark.rule("eventbridge/latest/userguide/eb-create-rule-schedule.html")
def test_a_rule_with_a_rate_fires(clients, queue):
    """A rule with a rate starts its targets again and again."""
    arn, bodies = queue()
    clients("events").put_rule(Name="rule", ScheduleExpression="rate(1 minute)")
    clients("events").put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn, "Input": '{"tick": 1}'}])
    assert json.loads(wait_until(bodies, "a tick", 90)[0]) == {"tick": 1}


@pytest.fixture
def schedule(clients):
    # The first request loads the service, which must not take the time that a schedule names.
    clients("scheduler").list_schedules()

    def create(expression, arn, **options):
        target = {
            "Arn": arn,
            "RoleArn": f"arn:aws:iam::{clients.account}:role/scheduler",
            "Input": '{"tick": 1}',
            **options.pop("target", {}),
        }
        named = {"Name": "schedule", "ScheduleExpression": expression, **options}
        return clients("scheduler").create_schedule(FlexibleTimeWindow={"Mode": "OFF"}, Target=target, **named)

    return create


@pytest.mark.rule(SCHEDULER)
def test_a_schedule_fires_once_at_its_time(clients, queue, schedule):
    """A one-time schedule invokes its target at its time."""
    arn, bodies = queue()
    at = datetime.now(UTC) + timedelta(seconds=3)
    schedule(f"at({at:%Y-%m-%dT%H:%M:%S})", arn)
    assert [json.loads(body) for body in wait_until(bodies, "the tick", 30)] == [{"tick": 1}]


@pytest.mark.rule(SCHEDULER)
def test_a_schedule_with_a_rate_fires(clients, queue, schedule):
    """A rate-based schedule invokes its target again and again."""
    arn, bodies = queue()
    schedule("rate(1 minute)", arn)
    assert json.loads(wait_until(bodies, "a tick", 90)[0]) == {"tick": 1}


@pytest.mark.rule("scheduler/latest/APIReference/API_CreateSchedule.html")
def test_a_schedule_needs_its_group(clients, schedule):
    """A schedule of a group that is not there is not found, and not made."""
    with pytest.raises(clients("scheduler").exceptions.ResourceNotFoundException, match="Schedule group nowhere does not exist"):
        schedule("rate(1 minute)", f"arn:aws:sqs:us-east-1:{clients.account}:q", GroupName="nowhere")
    assert clients("scheduler").list_schedules()["Schedules"] == []


@pytest.mark.rule("scheduler/latest/APIReference/API_UpdateSchedule.html")
def test_an_updated_schedule_is_enabled(clients, schedule):
    """UpdateSchedule replaces all of a schedule: what it does not name has its default, State ENABLED."""
    arn = f"arn:aws:sqs:us-east-1:{clients.account}:q"
    schedule("rate(1 hour)", arn, State="DISABLED", Description="old")
    target = clients("scheduler").get_schedule(Name="schedule")["Target"]
    clients("scheduler").update_schedule(
        Name="schedule", ScheduleExpression="rate(2 hours)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    found = clients("scheduler").get_schedule(Name="schedule")
    assert (found["State"], found["ScheduleExpression"], found.get("Description")) == ("ENABLED", "rate(2 hours)", None)


@pytest.mark.rule("scheduler/latest/APIReference/API_ListSchedules.html")
def test_schedules_by_pages(clients, schedule):
    """ListSchedules has pages of MaxResults, and takes the beginning of a name."""
    scheduler, arn = clients("scheduler"), f"arn:aws:sqs:us-east-1:{clients.account}:q"
    for name in ("b", "a1", "a2", "a3"):
        schedule("rate(1 hour)", arn, Name=name)
    pages = scheduler.get_paginator("list_schedules").paginate(NamePrefix="a", PaginationConfig={"PageSize": 2})
    assert [[one["Name"] for one in page["Schedules"]] for page in pages] == [["a1", "a2"], ["a3"]]


@pytest.mark.rule("scheduler/latest/UserGuide/managing-schedule-delete.html")
def test_a_schedule_that_is_over_is_deleted(clients, queue, schedule):
    """A one-time schedule with ActionAfterCompletion DELETE is deleted after it has fired."""
    arn, bodies = queue()
    at = datetime.now(UTC) + timedelta(seconds=2)
    schedule(f"at({at:%Y-%m-%dT%H:%M:%S})", arn, ActionAfterCompletion="DELETE")
    wait_until(bodies, "the tick", 30)
    wait_until(lambda: not clients("scheduler").list_schedules()["Schedules"], "the schedule to be deleted", 20)


@pytest.mark.rule("scheduler/latest/UserGuide/configuring-schedule-dlq.html")
def test_a_schedule_whose_target_fails_goes_to_its_dead_letter_queue(clients, queue, schedule):
    """A schedule's event that its target does not take goes to the dead-letter queue."""
    dead, bodies = queue("dead")
    at = datetime.now(UTC) + timedelta(seconds=2)
    missing = f"arn:aws:sqs:us-east-1:{clients.account}:missing"
    schedule(
        f"at({at:%Y-%m-%dT%H:%M:%S})",
        missing,
        target={"DeadLetterConfig": {"Arn": dead}, "RetryPolicy": {"MaximumRetryAttempts": 0}},
    )
    assert wait_until(bodies, "the dead letter", 30) == ['{"tick": 1}']


@pytest.mark.rule("eventbridge/latest/APIReference/API_PutRule.html")
@pytest.mark.parametrize(
    "pattern",
    [
        "no json",
        "[]",
        '{"source": "app"}',
        '{"source": []}',
        '{"detail": {}}',
        '{"source": [{"begins": "a"}]}',
        '{"source": [["app"]]}',
    ],
)
def test_a_pattern_that_is_none_is_refused(clients, pattern):
    """PutRule refuses a pattern that is no object of arrays and objects, or has an unknown operator: InvalidEventPatternException."""
    events = clients("events")
    with pytest.raises(events.exceptions.InvalidEventPatternException, match="Event pattern is not valid"):
        events.put_rule(Name="wrong", EventPattern=pattern)
    assert events.list_rules(NamePrefix="wrong")["Rules"] == []


INPUT = {
    "the whole event": {},
    "InputPath": {"InputPath": "$.detail"},
    "Input": {"Input": '{"n": 1}'},
    "InputTransformer": {"InputTransformer": {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"n": <n>}'}},
}


@pytest.mark.rule("eventbridge/latest/userguide/eb-transform-target-input.html")
@pytest.mark.parametrize("how", INPUT)
def test_a_state_machine_gets_its_input(clients, how):
    """A rule starts an execution with what InputPath, Input or InputTransformer makes of the event; two rules start two."""
    machines, role = clients("stepfunctions"), f"arn:aws:iam::{clients.account}:role/r"
    definition = '{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}'
    arn = machines.create_state_machine(name="m", roleArn=role, definition=definition)["stateMachineArn"]
    for name in ("one", "other"):
        clients("events").put_rule(Name=name, EventPattern='{"source": ["app"]}')
        clients("events").put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn, "RoleArn": role, **INPUT[how]}])
    send(clients, {"n": 1})

    def started():
        found = machines.list_executions(stateMachineArn=arn)["executions"]
        return found if len(found) == 2 else None

    inputs = [
        json.loads(machines.describe_execution(executionArn=one["executionArn"])["input"])
        for one in wait_until(started, "two executions", 20)
    ]
    assert [one.get("detail", one) for one in inputs] == [{"n": 1}] * 2


@pytest.mark.rule("eventbridge/latest/userguide/eb-transform-target-input.html")
@pytest.mark.parametrize("how", INPUT)
def test_a_stream_gets_its_input(clients, how):
    """A stream as a target gets what is made of the event, also where that has no id."""
    kinesis, role = clients("kinesis"), f"arn:aws:iam::{clients.account}:role/r"
    kinesis.create_stream(StreamName="s", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="s", WaiterConfig={"Delay": 1})
    arn = f"arn:aws:kinesis:us-east-1:{clients.account}:stream/s"
    clients("events").put_rule(Name="rule", EventPattern='{"source": ["app"]}')
    clients("events").put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn, "RoleArn": role, **INPUT[how]}])
    send(clients, {"n": 1})
    begin = kinesis.get_shard_iterator(StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
    (record,) = wait_until(lambda: kinesis.get_records(ShardIterator=begin["ShardIterator"])["Records"], "the record", 20)
    told = json.loads(record["Data"])
    assert told.get("detail", told) == {"n": 1}


@pytest.mark.rule("eventbridge/latest/APIReference/API_ReplayDestination.html")
def test_a_replay_goes_to_the_rules_that_it_names(clients, queue):
    """A replay with FilterArns is sent to those rules alone."""
    events = clients("events")
    bus = f"arn:aws:events:us-east-1:{clients.account}:event-bus/default"
    archive = events.create_archive(ArchiveName="archive", EventSourceArn=bus)["ArchiveArn"]
    bodies = {}
    for name in ("one", "other"):
        arn, bodies[name] = queue(name)
        events.put_rule(Name=name, EventPattern='{"source": ["app"]}')
        events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
    send(clients, {"n": 1})
    for received in bodies.values():
        wait_until(received, "the event")
    begin = datetime.now(UTC) - timedelta(minutes=5)
    events.start_replay(
        ReplayName="replay",
        EventSourceArn=archive,
        EventStartTime=begin,
        EventEndTime=datetime.now(UTC) + timedelta(minutes=5),
        Destination={"Arn": bus, "FilterArns": [f"arn:aws:events:us-east-1:{clients.account}:rule/one"]},
    )
    wait_until(lambda: len(bodies["one"]()) == 2, "the event again")
    assert len(bodies["other"]()) == 1


@pytest.mark.rule("scheduler/latest/UserGuide/managing-schedule-context-attributes.html")
@pytest.mark.parametrize("text", ["plain text", "{}", "[]", '{"a":   1}', "of <aws.scheduler.schedule-arn>"])
def test_the_input_of_a_schedule_is_sent_as_it_is(clients, queue, schedule, text):
    """A schedule sends its input as it is, text or JSON, with the values of context attributes in it."""
    arn, bodies = queue()
    at = datetime.now(UTC) + timedelta(seconds=2)
    made = schedule(f"at({at:%Y-%m-%dT%H:%M:%S})", arn, target={"Input": text})
    assert wait_until(bodies, "the input", 30) == [text.replace("<aws.scheduler.schedule-arn>", made["ScheduleArn"])]
