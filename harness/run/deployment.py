"""A run's stack: how it is deployed, and what the parts of a scenario get of it."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING

from harness.emulator.schedules import SchedulesClient
from harness.errors import UnknownVerdictError
from harness.run.setup import before_deployment
from harness.run.state import timed
from harness.scenario.references import resolved, resources_named, substitute
from harness.served import PATH
from harness.stack import deploy as stacks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.emulator.clients import Clients
    from harness.emulator.emulator import Description
    from harness.run.standing import Standing
    from harness.run.state import Run, State
    from harness.scenario.scenario import Scenario


def new_stack(
    run: Run, state: State, standing: Standing, clients: Clients, description: Description, values: Mapping[str, str]
) -> stacks.Stack:
    """Deploys the stack with what it finds in place. Raises UsageError and DeployError as `stacks.deploy` does."""
    scenario = run.scenario
    parameters = {name: substitute(value, values, f"stack.parameters.{name}") for name, value in scenario.stack.parameters.items()}
    # Templates make longer names of it: a function's has 64 characters at most, a bucket's 63.
    # A stack's name has letters, digits and hyphens alone; a file's may have anything.
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"pp-{run.recipe.name}")[:16].rstrip("-") + f"-{time.time_ns() // 1_000_000:x}"
    standing.name = state.stack = name
    if clients.aws:
        # Whatever ends the run before all is removed names it.
        state.left = (f"stack {name}, with all that it has made",)
    before_deployment(clients, scenario.setup)
    with timed(state, "deploy_s"):
        wish = stacks.Wish(resources_named(scenario.document()), description.abilities, run.strict_runtime, run.ignore_unsupported)
        standing.stack = stacks.deploy(clients, scenario.stack.template, parameters, name, run.emulator.check, wish)
    return standing.stack


def values_of(place: Description, account: str, served_url: str = "") -> dict[str, str]:
    """Returns what references mean before there is a stack. `served_url` is where a pipeline reaches the APIs of `to: served`; that is the emulator where it is empty."""
    return {
        "account": account,
        "region": place.region,
        "endpoint": place.endpoint,
        "served": f"{served_url or place.endpoint}{PATH}/{account}",
        "emulator.python_runtime": place.python_runtime,
    }


def scheduled(place: Description, account: str) -> frozenset[str]:
    """Returns the ARNs of what the clock would start by now; none where the endpoint does not tell, which is a doubt later, and on AWS, where a run looks at its own stack alone."""
    with contextlib.suppress(UnknownVerdictError):
        if not place.aws:
            return frozenset(schedule.arn for schedule in SchedulesClient(place.endpoint, account).schedules()[0])
    return frozenset()


def with_references(scenario: Scenario, values: Mapping[str, str]) -> Scenario:
    """Returns the scenario with the references in its parts replaced; an unknown one is reported before the load."""
    return scenario.model_copy(
        update={
            "lookup": scenario.lookup and resolved(scenario.lookup, values, "lookup"),
            "setup": resolved(scenario.setup, values, "setup"),
            "send": resolved(scenario.send, values, "send"),
            "schedules": resolved(scenario.schedules, values, "schedules"),
            **{
                name: tuple(resolved(part, values, f"{name}.{place}") for place, part in enumerate(getattr(scenario, name)))
                for name in ("actors", "probes", "checks")
            },
        }
    )
