"""Whether a plan can meet anything at all: services and operations that exist, resources and functions of the template."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.exceptions import UnknownServiceError

from harness.errors import UsageError
from harness.faults.plan import HARNESS, LOCALSTACK, LambdaFault, RecordFault, ServiceFault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from harness.faults.plan import Plan

_FUNCTIONS = {"AWS::Serverless::Function", "AWS::Lambda::Function"}

_SHOWN = 40


def check_plan(plan: Plan, template: dict[str, Any], malformers: Collection[str], key: str) -> None:
    """Raises UsageError that names the fault, the key and what exists."""
    resources = template["Resources"]
    functions = [name for name, resource in resources.items() if isinstance(resource, dict) and resource.get("Type") in _FUNCTIONS]
    ids = [fault.id for fault in plan if fault.id]
    for number, fault in enumerate(plan):
        where = f"{key}.{number}" + (f" ({fault.id})" if fault.id else "")
        if fault.id and ids.count(fault.id) > 1:
            raise UsageError(f"{where}: id: two faults have this id")
        match fault:
            case ServiceFault():
                _check_operation(fault, where)
                _known(fault.resource, resources, f"{where}: resource", "is no resource of the template")
                _known(fault.caller, [*functions, HARNESS, LOCALSTACK], f"{where}: caller", "is no function of the template")
            case LambdaFault():
                _known(fault.function, functions, f"{where}: function", "is no function of the template")
            case RecordFault():
                _known(fault.malform, malformers, f"{where}: malform", "spoils no record of this source")


def _check_operation(fault: ServiceFault, where: str) -> None:
    session = botocore.session.get_session()
    try:
        model = session.get_service_model(fault.service)
    except UnknownServiceError:
        raise UsageError(
            f"{where}: service: {_unknown(fault.service, session.get_available_services(), 'is no AWS service')}"
        ) from None
    _known(fault.operation, model.operation_names, f"{where}: operation", f"is no operation of {fault.service}")


def _known(name: str | None, names: Iterable[str], where: str, what: str) -> None:
    if name is not None and name not in names:
        raise UsageError(f"{where}: {_unknown(name, names, what)}")


def _unknown(name: str, names: Iterable[str], what: str) -> str:
    near = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5) or difflib.get_close_matches(
        name.lower(), list(names), n=3, cutoff=0.5
    )
    known = sorted(names)
    there = f"there is {', '.join(known[:_SHOWN])}" + (f" and {len(known) - _SHOWN:,} more" if len(known) > _SHOWN else "")
    if near:
        there = f"did you mean {' or '.join(near)}?"
    return f"{name} {what}; {there}"
