"""What a template's resources do with each other: who is fed by whom, and who writes where."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness.draft.names import Names
from harness.stack.functions import TYPES as FUNCTIONS
from harness.stack.functions import functions
from harness.stack.values import references

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.stack.template import Template

STORES = {
    "AWS::S3::Bucket": "bucket",
    "AWS::DynamoDB::Table": "table",
    "AWS::DynamoDB::GlobalTable": "table",
    "AWS::Serverless::SimpleTable": "table",
    "AWS::SQS::Queue": "queue",
    "AWS::SNS::Topic": "topic",
    "AWS::Kinesis::Stream": "stream",
    "AWS::KinesisFirehose::DeliveryStream": "delivery stream",
}
_ROLES = {"AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"}
MACHINES = {"AWS::Serverless::StateMachine", "AWS::StepFunctions::StateMachine"}
_APIS = {"AWS::Serverless::Api", "AWS::Serverless::HttpApi", "AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"}
BUS = "AWS::Events::EventBus"
TAKERS = {*FUNCTIONS, *STORES, *MACHINES, BUS}
"""The types that records go into."""
_READS = re.compile(r"(Read|Poller|StreamRead|Get|Describe|List|Receive)", re.ASCII)
_WRITES = re.compile(r"(Crud|Write|Send|Publish|Put|Update|Batch(?!Get)|\*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """A way in: `source` (a logical id; "" for what SAM adds) feeds `target`. `settings` are those of the event, the rule or the notification."""

    kind: str
    source: str
    target: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Graph:
    """The entries of a template, which resources are written by others, and by resource the queues, topics and buckets that take what it gives up. `read` has what policies let
    somebody read; `prefixes` has by bucket the prefixes of the keys that they let somebody write."""

    entries: list[Entry] = field(default_factory=list)
    written: dict[str, set[str]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    prefixes: dict[str, set[str]] = field(default_factory=dict)
    consumed: set[str] = field(default_factory=set)
    given_up: dict[str, set[str]] = field(default_factory=dict)
    failed_batches: set[str] = field(default_factory=set)

    @property
    def failures(self) -> set[str]:
        """Returns what takes what was given up."""
        return set().union(*self.given_up.values())


def graph_of(template: Template, values: Mapping[str, Any]) -> Graph:
    """Returns what the template's resources do with each other. `values` are those of its parameters."""
    graph, resources = Graph(), template.resources
    for logical_id, resource in resources.items():
        properties = resource.get("Properties") or {}
        for found in _entries(logical_id, resource["Type"], properties):
            entry = _integrated(found, resources)
            graph.entries.append(entry)
            graph.consumed.add(entry.source)
        _note_failures(graph, logical_id, resource["Type"], properties, resources)
    names = Names(resources, values)
    graph.entries += [made for entry in graph.entries for made in _of_objects(entry, resources, names)]
    _note_writers(graph, template, values, names)
    for entry in graph.entries:
        if entry.target in resources and resources[entry.target]["Type"] in STORES and entry.target != entry.source:
            graph.written.setdefault(entry.target, set()).add(entry.source)
    return graph


def _integrated(entry: Entry, resources: Mapping[str, Any]) -> Entry:
    """Returns the entry of an API with what its integration calls: not the role that it has for it."""
    called = [name for name in references(entry.settings.get("Integration")) if (resources.get(name) or {}).get("Type") in TAKERS]
    return replace(entry, target=called[0]) if called else entry


def _of_objects(entry: Entry, resources: Mapping[str, Any], names: Names) -> Iterator[Entry]:
    """Yields the buckets whose new objects are the events of a rule."""
    pattern = entry.settings.get("Pattern") or {}
    if (
        entry.kind != "eventbridge"
        or "aws.s3" not in pattern.get("source", ())
        or "Object Created" not in pattern.get("detail-type", ())
    ):
        return
    detail = pattern.get("detail") or {}
    named = names.of((detail.get("bucket") or {}).get("name"))
    keys = (detail.get("object") or {}).get("key") or ()
    rules = [{"Name": kind, "Value": value} for key in keys if isinstance(key, dict) for kind, value in key.items()]
    for logical_id, resource in resources.items():
        told = ((resource.get("Properties") or {}).get("NotificationConfiguration") or {}).get("EventBridgeConfiguration")
        if resource["Type"] == "AWS::S3::Bucket" and (logical_id in named if named else told is not None):
            yield Entry("s3", logical_id, entry.target, {"Filter": {"S3Key": {"Rules": rules}}})


def _note_writers(graph: Graph, template: Template, values: Mapping[str, Any], names: Names) -> None:
    """Notes where functions, state machines and delivery streams write."""
    resources = template.resources
    common = (template.document.get("Globals") or {}).get("Function") or {}
    writers = {function.logical_id: function.properties for function in functions(template, values)}
    writers |= {name: one.get("Properties") or {} for name, one in resources.items() if one["Type"] in MACHINES}
    writers |= {
        name: one.get("Properties") or {}
        for name, one in resources.items()
        if one["Type"] == "AWS::KinesisFirehose::DeliveryStream"
    }
    fed_by = {target: {entry.source for entry in graph.entries if entry.target == target} for target in writers}
    for name, properties in writers.items():
        own = {key: value for key, value in properties.items() if key not in {"Events", "DeadLetterConfig", "EventInvokeConfig"}}
        if "Environment" in common and "Environment" not in own:
            own["Environment"] = common["Environment"]
        given = _given(own, resources, names)
        graph.read |= given.reads
        for bucket, prefix in given.keys:
            graph.prefixes.setdefault(bucket, set()).add(prefix)
        for store in sorted(given.named | given.writes):
            is_written = store in given.writes or (store not in given.reads and store not in fed_by[name])
            if resources[store]["Type"] in STORES and is_written and store not in graph.failures:
                graph.written.setdefault(store, set()).add(name)
        for api in references(own):
            if (resources.get(api) or {}).get("Type") in _APIS and api not in fed_by[name]:
                # Somebody within the stack calls it.
                graph.written.setdefault(api, set()).add(name)


def takers(graph: Graph, template: Template, entry: Entry) -> list[str]:
    """Returns the functions that take what comes in, directly or by queues, topics, delivery streams and state machines, the nearest first."""
    found, todo, seen = [], [entry.target], set[str]()
    while todo:
        name = todo.pop(0)
        if name in seen or name not in template.resources:
            continue
        seen.add(name)
        resource = template.resources[name]
        if resource["Type"] in FUNCTIONS:
            found.append(name)
            # What a function starts itself: a state machine.
            todo += [
                one
                for one in references(resource.get("Properties") or {})
                if (template.resources.get(one) or {}).get("Type") in MACHINES
            ]
        elif resource["Type"] in MACHINES or resource["Type"] == "AWS::KinesisFirehose::DeliveryStream":
            todo += [one for one in references(resource.get("Properties") or {}) if is_function(template, one)]
        todo += [one.target for one in graph.entries if one.source == name]
    return found


def _first(value: Any) -> str:
    return next(iter(references(value)), "")


def _entries(logical_id: str, kind: str, properties: Mapping[str, Any]) -> Iterator[Entry]:  # noqa: C901, PLR0912 - a case for each type of resource
    """Yields the ways that a resource opens."""
    events = properties.get("Events")
    for source in events.values() if kind.startswith("AWS::Serverless::") and isinstance(events, dict) else ():
        if isinstance(source, dict):
            yield from _event(logical_id, str(source.get("Type")), source.get("Properties") or {})
    match kind:
        case "AWS::Lambda::EventSourceMapping":
            source = _first(properties.get("EventSourceArn"))
            yield Entry("mapping", source, _first(properties.get("FunctionName")), properties)
        case "AWS::SNS::Subscription":
            yield Entry("sns", _first(properties.get("TopicArn")), _first(properties.get("Endpoint")), properties)
        case "AWS::SNS::Topic":
            for one in properties.get("Subscription") or []:
                yield Entry("sns", logical_id, _first(one.get("Endpoint")) if isinstance(one, dict) else "", {})
        case "AWS::S3::Bucket":
            for name, target in (
                ("LambdaConfigurations", "Function"),
                ("QueueConfigurations", "Queue"),
                ("TopicConfigurations", "Topic"),
            ):
                for one in (properties.get("NotificationConfiguration") or {}).get(name) or []:
                    yield Entry("s3", logical_id, _first(one.get(target)), {"Filter": one.get("Filter") or {}})
        case "AWS::Events::Rule":
            targets = [_first(one.get("Arn")) for one in properties.get("Targets") or [] if isinstance(one, dict)]
            rule = "schedule" if "ScheduleExpression" in properties else "eventbridge"
            for target in targets:
                yield Entry(rule, _first(properties.get("EventBusName")), target, {"Pattern": properties.get("EventPattern") or {}})
        case "AWS::KinesisFirehose::DeliveryStream":
            if source := _first(properties.get("KinesisStreamSourceConfiguration")):
                yield Entry("kinesis", source, logical_id, {})
            else:
                yield Entry("firehose", logical_id, logical_id, {})
        case "AWS::Pipes::Pipe":
            yield Entry(
                "mapping",
                _first(properties.get("Source")),
                _first(properties.get("Target")),
                properties.get("SourceParameters") or {},
            )
        case "AWS::Serverless::Api" | "AWS::Serverless::HttpApi" | "AWS::ApiGateway::RestApi":
            yield from _routes(logical_id, kind, properties)
        case "AWS::ApiGateway::Method":
            yield Entry("rest method", _first(properties.get("RestApiId")), _first(properties.get("Integration")), properties)


def _event(function: str, kind: str, properties: Mapping[str, Any]) -> Iterator[Entry]:
    kinds = {"CloudWatchEvent": "eventbridge", "EventBridgeRule": "eventbridge", "Schedule": "schedule", "ScheduleV2": "schedule"}
    source = {
        "SQS": "Queue", "Kinesis": "Stream", "DynamoDB": "Stream", "SNS": "Topic", "S3": "Bucket", "Api": "RestApiId", "HttpApi": "ApiId",
    }.get(kind, "EventBusName")  # fmt: skip
    yield Entry(kinds.get(kind, kind.lower()), _first(properties.get(source)), function, properties)


def _routes(logical_id: str, kind: str, properties: Mapping[str, Any]) -> Iterator[Entry]:
    """Yields the routes of an OpenAPI document in the template."""
    body = properties.get("DefinitionBody") or properties.get("Body")
    name = "httpapi" if kind == "AWS::Serverless::HttpApi" else "api"
    for path, methods in ((body or {}).get("paths") or {}).items() if isinstance(body, dict) else ():
        for method, operation in methods.items() if isinstance(methods, dict) else ():
            integration = operation.get("x-amazon-apigateway-integration") if isinstance(operation, dict) else None
            if integration:
                keyed = any("api_key" in str(one) for one in operation.get("security") or [])
                settings = {"Path": path, "Method": method, "Auth": {"ApiKeyRequired": keyed}, "Integration": integration}
                yield Entry(name, logical_id, _first(integration), settings)


def _note_failures(graph: Graph, logical_id: str, kind: str, properties: Mapping[str, Any], resources: Mapping[str, Any]) -> None:
    """Notes the queues, topics and buckets that take what could not be processed."""
    places = [
        properties.get("RedrivePolicy"), properties.get("DeadLetterQueue"), properties.get("DeadLetterConfig"),
        ((properties.get("EventInvokeConfig") or {}).get("DestinationConfig") or {}).get("OnFailure"),
        (properties.get("DestinationConfig") or {}).get("OnFailure"),
    ]  # fmt: skip
    events = properties.get("Events")
    for source in events.values() if isinstance(events, dict) else ():
        settings = (source.get("Properties") or {}) if isinstance(source, dict) else {}
        on_failure = (settings.get("DestinationConfig") or {}).get("OnFailure")
        places += [on_failure, settings.get("DeadLetterConfig"), settings.get("RedrivePolicy")]
        if on_failure and source.get("Type") in {"Kinesis", "DynamoDB"}:
            graph.failed_batches.update(references(on_failure))
    if kind == "AWS::Lambda::EventSourceMapping":
        graph.failed_batches.update(references((properties.get("DestinationConfig") or {}).get("OnFailure")))
    takers = {name for place in places for name in references(place) if name in resources}
    if takers:
        graph.given_up.setdefault(_who_gives_up(logical_id, kind, properties, resources), set()).update(takers)


def _who_gives_up(logical_id: str, kind: str, properties: Mapping[str, Any], resources: Mapping[str, Any]) -> str:
    """Returns the resource that gives up: of a mapping, or of the settings of asynchronous invocations, it is the function."""
    if kind in {"AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig"}:
        return next((name for name in references(properties.get("FunctionName")) if name in resources), logical_id)
    return logical_id


@dataclass
class _Given:
    """The resources that a function, a state machine or a delivery stream is given: which it names, and which its policies let it read or write."""

    named: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    keys: set[tuple[str, str]] = field(default_factory=set)


def _given(properties: Mapping[str, Any], resources: Mapping[str, Any], names: Names) -> _Given:
    given = _Given(named=names.of(properties))
    policies = properties.get("Policies")
    for policy in policies if isinstance(policies, list) else [policies]:
        _sort_policy(policy, given, names)
    for name in references(properties.get("Role")):
        if name in resources and resources[name]["Type"] in _ROLES:
            for statement in _statements(resources[name].get("Properties") or {}):
                _sort_statement(statement, given, names)
    return given


def _sort_policy(policy: Any, given: _Given, names: Names) -> None:
    if not isinstance(policy, dict):
        return
    if "Statement" in policy:
        for statement in policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]:
            _sort_statement(statement, given, names)
        return
    for name, parameters in policy.items():
        if _WRITES.search(str(name)):
            given.writes |= names.of(parameters)
            given.keys |= {(one, "") for one in names.of(parameters)}
        elif _READS.search(str(name)):
            given.reads |= names.of(parameters)


def _sort_statement(statement: Any, given: _Given, names: Names) -> None:
    if not isinstance(statement, dict):
        return
    actions = statement.get("Action")
    operations = [str(action).partition(":")[2] or "*" for action in (actions if isinstance(actions, list) else [actions])]
    resources = names.of(statement.get("Resource"))
    if any(_WRITES.search(operation) for operation in operations):
        given.writes |= resources
        given.keys |= set(names.keys(statement.get("Resource")))
    else:
        given.reads |= resources


def _statements(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if "Statement" in value:
            yield from value["Statement"] if isinstance(value["Statement"], list) else [value["Statement"]]
        for inner in value.values():
            yield from _statements(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _statements(inner)


def is_function(template: Template, logical_id: str) -> bool:
    """Returns whether a logical id is that of a function."""
    return (template.resources.get(logical_id) or {}).get("Type") in FUNCTIONS
