"""What a run does otherwise where its place is AWS."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.aws.estimate import estimate, prices
from harness.aws.schedules import AwsSchedules
from harness.aws.stack import made
from harness.emulator.schedules import SchedulesClient
from harness.errors import UsageError
from harness.faults.plan import RecordFault, SettingFault
from harness.parts import units
from harness.stack.nested import with_nested
from harness.stack.template import read_template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.schedules import Schedules
    from harness.parts.ports import Context, Load
    from harness.run.recipe import Recipe
    from harness.scenario.scenario import Scenario

_DEAREST = 3
_RESOURCES = frozenset(
    {"bucket", "bus", "delivery_stream", "queue_url", "rule", "stream", "table", "to_queue_url", "topic_arn", "url"}
)  # fmt: skip
"""The keys of parts that name a resource to write to, to read or to fire."""
_DATA = frozenset({"dimensions", "fields", "headers", "output", "parameters"})
_NAMED = re.compile(r"\$\{(outputs|resources)\.[^}]+\}")
_API = re.compile(r"([a-z0-9]+)\.execute-api\..+")
_KEY_ID = re.compile(r"[a-z0-9]{10}")


def refuse(recipe: Recipe, endpoint: str = "", served_url: str = "") -> None:
    """Raises UsageError that names every key of a scenario that does not work on AWS, or that would change resources which the stack does not have. `endpoint` is a server that is taken
    for AWS, `served_url` where AWS reaches this machine."""
    scenario = recipe.scenario
    faults = [fault for fault in (*recipe.faults, *recipe.chaos[0]) if not isinstance(fault, RecordFault | SettingFault)]
    found = [
        f"faults: {fault.id} ({fault.kind}): single calls and invocations on AWS cannot be disturbed from here; reserved_concurrency and timeout can be set"
        for fault in faults
    ]
    if scenario.send.is_fetched and not served_url:
        found.append(f"send: to: {scenario.send.to or scenario.send.use}: --served-url must say where AWS reaches this machine")
    found += _of_others(scenario)
    found += [
        f"probes.{number}: it makes what the stack does not have: {what}"
        for number, probe in enumerate(scenario.probes)
        for what in probe.makes()
    ]
    if not endpoint and "${endpoint}" in json.dumps(scenario.document(), default=str):
        found.append("${endpoint}: there is no emulator")
    found += [
        f"setup.{name}: they would replace what the account has under these names"
        for name in ("parameters", "secrets", "identities")
        if getattr(scenario.setup, name)
    ]
    if found:
        raise UsageError("--target aws:\n" + "\n".join(f"  {one}" for one in found))


def _of_others(scenario: Scenario) -> Iterator[str]:
    """Yields each key that names a resource otherwise than by the stack."""
    for place, key, value in _named(scenario):
        if (_NAMED.search if key == "url" else _NAMED.fullmatch)(value) is None:
            yield f"{place}: {value!r} is not of the stack: on AWS only ${{outputs.…}} and ${{resources.…}} are used"


def _named(scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    """Yields what the parts name of resources: the place, its key and the value."""
    for place in ("lookup", "setup", "send", "actors", "probes", "checks"):
        part = getattr(scenario, place)
        for number, one in enumerate(part) if isinstance(part, tuple) else ((None, part),):
            if one is not None:
                yield from _names_in(one.model_dump(serialize_as_any=True), place if number is None else f"{place}.{number}")


def _names_in(value: Any, place: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            where = f"{place}.{key}"
            if key in _RESOURCES and isinstance(inner, str):
                yield where, key, inner
            # The items of a table are data, too; those of `setup` are parts.
            elif key not in _DATA and not (key == "items" and "table" in value):
                yield from _names_in(inner, where)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _names_in(inner, f"{place}.{number}")


def require_own(scenario: Scenario, context: Context) -> None:
    """Raises UsageError where what a part names, once its references are replaced, is not what the stack has made: an output may be a resource of somebody else's."""
    of_stack = made(context.clients, context.stack)
    own = {name for ids in of_stack.by_type.values() for identity in ids for name in (identity, *_ends(identity))}
    found = []
    for place, key, value in _named(scenario):
        if key == "url":
            api = _API.fullmatch(urlsplit(value).hostname or "")
            is_own = api is not None and api[1] in own
        else:
            is_own = value in own
        if not is_own:
            found.append(f"{place}: {value!r} is nothing that the stack has made")
    key_id = getattr(scenario.send, "api_key", None)
    if isinstance(key_id, str) and _KEY_ID.fullmatch(key_id) and key_id not in own:
        found.append("send.api_key: it may be the id of a key that the stack has not made")
    if found:
        raise UsageError("--target aws:\n" + "\n".join(f"  {one}" for one in found))


def _ends(identity: str) -> Iterator[str]:
    """Yields the name in a physical id, which may be a URL, an ARN or a pair."""
    yield from (identity.rpartition(sign)[2] for sign in "/:|")


def require_budget(recipe: Recipe, load: Load, most_usd: float) -> str:
    """Returns in words what a run may cost. Raises UsageError where that is more than `most_usd`."""
    records = size = 0
    for record in units.records(load.units()):
        records += 1
        size += len(record.payload)
    stack = recipe.scenario.stack
    costs: Counter[str] = Counter()
    unpriced: set[str] = set()
    for number, template in enumerate(with_nested(read_template(stack.template))):
        some, unknown = estimate(template, stack.parameters if number == 0 else {}, records, size)
        costs.update(some)
        unpriced |= unknown
    if unpriced:
        raise UsageError(f"--max-usd: what {', '.join(sorted(unpriced))} costs is not known here; nothing was made")
    usd = sum(costs.values())
    most = sorted(costs.items(), key=lambda one: -one[1])
    told = f"about {usd:.2f} US$ for {records:,} records ({', '.join(f'{name} {cost:.2f}' for name, cost in most[:_DEAREST])})"
    if usd > most_usd:
        raise UsageError(
            f"--max-usd {most_usd:g}: this run may cost {told} at most, by the prices of {prices()['as_of']}; nothing was made"
        )
    return told


def schedules(context: Context) -> Schedules:
    """Returns what tells and fires the schedules of a stack. On AWS they no longer fire by themselves from then on."""
    if context.clients.aws:
        held = AwsSchedules(context.clients, context.stack, context.run_dir)
        held.hold()
        return held
    return SchedulesClient(context.endpoint, context.account)
