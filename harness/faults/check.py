"""Whether a plan can meet anything at all: services and operations that exist, resources and functions of the template."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.exceptions import UnknownServiceError

from harness.errors import UsageError
from harness.faults.plan import HARNESS, LOCALSTACK, LambdaFault, RecordFault, ServiceFault, SettingFault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from harness.faults.plan import Plan

# A key, what it names, what there is, and what is said of a name that is not there.
_Asked = tuple[str, str | None, "Collection[str]", str]
_FUNCTIONS = {"AWS::Serverless::Function", "AWS::Lambda::Function"}

# Services whose calls name their own resources alone, by the types of these.
_SERVICES = {
    "AWS::S3::Bucket": "s3",
    "AWS::DynamoDB::Table": "dynamodb",
    "AWS::Serverless::SimpleTable": "dynamodb",
    "AWS::SQS::Queue": "sqs",
    "AWS::Kinesis::Stream": "kinesis",
    "AWS::KinesisFirehose::DeliveryStream": "firehose",
}
_SHOWN = 40
_NO_FUNCTIONS = {HARNESS, LOCALSTACK}


def check_plan(plan: Plan, template: dict[str, Any], malformers: Collection[str], key: str) -> None:
    """Raises UsageError that names the fault, the key and what exists."""
    for number, place, message in problems(plan, template, malformers):
        name = f"{key}.{number}" + (f" ({plan[number].id})" if plan[number].id else "")
        raise UsageError(f"{name}: {place}: {message}")


def problems(plan: Plan, template: dict[str, Any], malformers: Collection[str]) -> Iterator[tuple[int, str, str]]:
    """Yields for each fault that can meet nothing its place in the plan, its key, and what exists."""
    resources = template["Resources"]
    functions = [name for name, resource in resources.items() if isinstance(resource, dict) and resource.get("Type") in _FUNCTIONS]
    ids = [fault.id for fault in plan if fault.id]
    for number, fault in enumerate(plan):
        if fault.id and ids.count(fault.id) > 1:
            yield number, "id", "two faults have this id"
        match fault:
            case ServiceFault():
                asked: tuple[_Asked, ...] = (
                    *_operations(fault),
                    ("after", fault.after, _ids(plan, fault, ServiceFault), "is the id of no other fault of a function's call"),
                    (
                        "repeats",
                        fault.repeats,
                        _ids(plan, fault, ServiceFault, LambdaFault),
                        "is the id of no other fault of a function's call or of an invocation",
                    ),
                    ("resource", fault.resource, resources, "is no resource of the template"),
                    ("caller", fault.caller, [*functions, HARNESS, LOCALSTACK], "is no function of the template"),
                )
            case LambdaFault() | SettingFault():
                asked = (("function", fault.function, functions, "is no function of the template"),)
            case RecordFault():
                asked = (("malform", fault.malform, malformers, "spoils no record of this source"),)
        for place, name, names, what in asked:
            if name is not None and name not in names:
                yield number, place, _unknown(name, names, what)
        if isinstance(fault, ServiceFault):
            yield from ((number, place, told) for place, told in _of_call(fault, resources, plan))
        if isinstance(fault, SettingFault):
            yield from ((number, "function", told) for told in _of_setting(fault, plan[:number], template))


def _ids(plan: Plan, fault: ServiceFault, *kinds: type) -> list[str]:
    """Returns the ids of the other faults of these kinds."""
    return [
        other.id
        for other in plan
        if other.id
        and other is not fault
        and isinstance(other, kinds)
        and getattr(other, "caller", None) not in _NO_FUNCTIONS
        and other.kind != "lambda_init"
    ]


def _way_back(plan: Plan, fault: ServiceFault) -> list[str]:
    """Returns the ids from a fault by way of others back to itself, each of which follows the next one; nothing where they end elsewhere."""
    follows = {other.id: other.follows for other in plan if isinstance(other, ServiceFault) and other.id and other.follows}
    way = [fault.id or ""]
    while (following := follows.get(way[-1])) and following not in way:
        way.append(following)
    return [*way, following] if following and following == fault.id and len(way) > 1 else []


def _of_setting(fault: SettingFault, earlier: Plan, template: dict[str, Any]) -> Iterator[str]:
    """Yields why a function cannot have this setting."""
    if any((fault.kind, fault.function) == (other.kind, other.function) for other in earlier if isinstance(other, SettingFault)):
        yield f"{fault.function} has this setting already"
    if fault.kind == "timeout" and _has_versions(template, fault.function):
        yield f"{fault.function} has AutoPublishAlias: what is invoked is a version, whose time-out cannot be changed"


def _has_versions(template: dict[str, Any], function: str) -> bool:
    """Returns whether events go to a published version of a function, as far as the template says so itself."""
    properties = template["Resources"].get(function, {}).get("Properties") or {}
    shared = (template.get("Globals") or {}).get("Function") or {}
    return bool(properties.get("AutoPublishAlias") or shared.get("AutoPublishAlias"))


def _of_call(fault: ServiceFault, resources: dict[str, Any], plan: Plan) -> Iterator[tuple[str, str]]:
    """Yields the key that keeps a fault from meeting any call, and why."""
    if fault.follows and fault.caller in _NO_FUNCTIONS:
        yield "caller", f"with after or repeats it must be a function: {fault.caller} has no invocations"
    if way := _way_back(plan, fault):
        yield (
            "after" if fault.after else "repeats",
            f"comes back to this fault ({' → '.join(way)}), so none of them ever meets a call",
        )
    if told := _of_another_service(fault, resources):
        yield "resource", told


def _of_another_service(fault: ServiceFault, resources: dict[str, Any]) -> str:
    """Returns that calls of the fault's service name no resource of this type; empty where they may."""
    resource = resources.get(fault.resource or "")
    kind = str(resource.get("Type")) if isinstance(resource, dict) else ""
    service = _SERVICES.get(kind)
    if service is None or service == fault.service or fault.service not in _SERVICES.values():
        return ""
    return f"{fault.resource} is {kind}: calls of {fault.service} do not name it"


def _operations(fault: ServiceFault) -> Iterator[_Asked]:
    """Yields what is to be known of a fault's service, or of its operation where the service is known."""
    session = botocore.session.get_session()
    try:
        model = session.get_service_model(fault.service)
    except UnknownServiceError:
        yield "service", fault.service, session.get_available_services(), "is no AWS service"
    else:
        yield "operation", fault.operation, model.operation_names, f"is no operation of {fault.service}"


def _unknown(name: str, names: Iterable[str], what: str) -> str:
    near = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5) or difflib.get_close_matches(
        name.lower(), list(names), n=3, cutoff=0.5
    )
    known = sorted(names)
    there = f"there is {', '.join(known[:_SHOWN]) or 'none'}" + (
        f" and {len(known) - _SHOWN:,} more" if len(known) > _SHOWN else ""
    )
    if near:
        there = f"did you mean {' or '.join(near)}?"
    return f"{name} {what}; {there}"
