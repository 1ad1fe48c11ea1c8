"""What a run does otherwise where its place is AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.aws.estimate import estimate, prices
from harness.aws.schedules import AwsSchedules
from harness.emulator.schedules import SchedulesClient
from harness.errors import UsageError
from harness.faults.plan import RecordFault
from harness.parts import units
from harness.stack.template import read_template

if TYPE_CHECKING:
    from harness.emulator.schedules import Schedules
    from harness.parts.ports import Context, Load
    from harness.run.recipe import Recipe

_DEAREST = 3


def refuse(recipe: Recipe) -> None:
    """Raises UsageError for all of a scenario that cannot be on AWS, or that would change what the account has of its own."""
    scenario = recipe.scenario
    faults = [fault for fault in (*recipe.faults, *recipe.chaos[0]) if not isinstance(fault, RecordFault)]
    found = [f"faults: {fault.id} ({fault.kind}): calls and functions on AWS cannot be disturbed from here" for fault in faults]
    if not scenario.send.reaches_aws:
        found.append(f"send: to: {scenario.send.to or scenario.send.use}: what runs on AWS cannot reach this machine")
    found += [
        f"setup.{name}: they would replace what the account has under these names"
        for name in ("parameters", "secrets", "identities")
        if getattr(scenario.setup, name)
    ]
    if found:
        raise UsageError("--target aws:\n" + "\n".join(f"  {one}" for one in found))


def require_budget(recipe: Recipe, load: Load, most_usd: float) -> str:
    """Returns in words what a run may cost. Raises UsageError where that is more than `most_usd`."""
    records = size = 0
    for record in units.records(load.units()):
        records += 1
        size += len(record.payload)
    template = read_template(recipe.scenario.stack.template)
    costs = estimate(template.document, records, size)
    usd = sum(costs.values())
    most = sorted(costs.items(), key=lambda one: -one[1])
    told = (
        f"at most about {usd:.2f} US$ for {records:,} records ({', '.join(f'{name} {cost:.2f}' for name, cost in most[:_DEAREST])})"
    )
    if usd > most_usd:
        raise UsageError(
            f"--max-usd {most_usd:g}: this run may cost {told}, by the prices of {prices()['as_of']}; nothing was made"
        )
    return told


def schedules(context: Context) -> Schedules:
    """Returns what tells and fires the schedules of a stack."""
    if context.clients.aws:
        return AwsSchedules(context.clients, context.stack)
    return SchedulesClient(context.endpoint, context.account)
