"""`pipeproof bench batch`: how long a batch takes from the upload to the end of its execution, the e-mail with the link; by stage.

The floor is the least that any implementation must do: the same transforms on the same bytes in one process. AWS tells 5 minutes for 10,000
records and 7 for 100,000 of the article that the system is from (github.com/aws-samples/aws-serverless-batch-architecture).
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from harness.emulator.choose import choose_own
from harness.emulator.clients import Clients
from harness.errors import UnknownVerdictError
from harness.load.orders import OrdersSource
from harness.run import events
from harness.run.bench.figures import Figure, write
from harness.run.catalogue import find_scenario
from harness.run.engine import Plan
from harness.run.engine import run as run_plan
from harness.run.parts import make_source
from harness.run.scenario.loading import load_scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.emulator.emulator import Description

SCENARIO = "orders-10k"
_PUBLISHED_S = {10_000: 300.0, 100_000: 420.0}
_TARGETS_S = {10_000: 8.0, 100_000: 40.0}


@dataclass(frozen=True, slots=True)
class Completion:
    """One batch: seconds from the upload to the end of its execution, and in each state of it."""

    total_s: float
    stages_s: Mapping[str, float]


def bench_batch(records: Sequence[int], repetitions: int, out: Path, tell: Callable[[str], None]) -> list[Figure]:
    """All figures, for each number of records. Raises UnknownVerdictError where a measured run does not pass: a fast loss is no speed."""
    measured: dict[int, list[Completion]] = {number: [] for number in records}
    floors: dict[int, list[float]] = {number: [] for number in records}
    with tempfile.TemporaryDirectory(prefix="pipeproof-bench-") as scratch:
        root = Path(scratch)
        # Alternating, so that a change of the machine's load meets all.
        for repetition in range(repetitions):
            for number in records:
                tell(f"run {repetition + 1} of {repetitions}: {number:,} orders")
                measured[number].append(_complete(number, root))
                floors[number].append(_floor(number))
    figures = [figure for number in records for figure in _of(number, measured[number], floors[number])]
    if {10_000, 100_000} <= set(records):
        pairs = zip(measured[100_000], measured[10_000], strict=True)
        figures.append(Figure("100,000 to 10,000 orders", "ratio", tuple(b.total_s / s.total_s for b, s in pairs), 8, "lower"))
    write(figures, out)
    return figures


def _of(records: int, measured: Sequence[Completion], floors: Sequence[float]) -> list[Figure]:
    name, totals = f"{records:,} orders", tuple(completion.total_s for completion in measured)
    figures = [Figure(f"{name}, upload to e-mail", "s", totals, _TARGETS_S.get(records), "lower")]
    figures += [
        Figure(f"{name}: {stage}", "s", tuple(completion.stages_s.get(stage, 0.0) for completion in measured), None, "lower")
        for stage in measured[0].stages_s
    ]
    figures.append(Figure(f"{name}, floor (transforms only, one process)", "s", tuple(floors), None, "lower"))
    figures.append(
        Figure(f"{name} to the floor", "ratio", tuple(t / f for t, f in zip(totals, floors, strict=True)), None, "lower")
    )
    if records in _PUBLISHED_S:
        published_s = _PUBLISHED_S[records]
        figures.append(
            Figure(f"{name}: the article's {published_s:.0f} s to ours", "ratio", tuple(published_s / t for t in totals))
        )
    return figures


def _complete(records: int, root: Path) -> Completion:
    """A run that passes, on an emulator of its own; its executions are read while the stack is still there."""
    name, path = find_scenario(SCENARIO)
    scenario = load_scenario(path)
    run_dir = Path(tempfile.mkdtemp(prefix=f"run-{records}-", dir=root))
    emulator, why = choose_own("embedded", run_dir / "emulator.log")
    scenario = scenario.model_copy(update={"drain_timeout_s": 1800})
    plan = Plan(name, scenario, scenario.seed, make_source(scenario, scenario.seed, records, None), emulator, why, "", run_dir)
    description: Description | None = None
    stages: dict[str, float] = {}
    ended_at_s = 0.0
    for event in run_plan(plan):
        match event:
            case events.EmulatorReady():
                description = event.emulator
            case events.PhaseStarted(phase="reconcile"):
                assert description is not None
                ended_at_s, stages = _execution(Clients(description.endpoint))
            case events.RunFinished():
                if event.verdict.judgement != "pass":
                    message = f"a measured run of {records:,} orders did not pass: {'; '.join(event.verdict.reasons)}"
                    raise UnknownVerdictError(message)
    ((offered_at_ms,),) = duckdb.connect().execute(f"SELECT min(offered_at_ms) FROM '{run_dir}/ledger.parquet'").fetchall()
    return Completion(ended_at_s - offered_at_ms / 1000, stages)


def _execution(clients: Clients) -> tuple[float, dict[str, float]]:
    """Of the execution that began first (it starts the others): when it ended, and the seconds in each of its states, in their order."""
    client = clients("stepfunctions")
    machines = client.list_state_machines()["stateMachines"]
    first = min(
        (execution for machine in machines for page in _pages(client, machine) for execution in page["executions"]),
        key=lambda execution: execution["startDate"],
    )
    definition = json.loads(client.describe_state_machine(stateMachineArn=first["stateMachineArn"])["definition"])
    entered: dict[str, float] = {}
    stages: dict[str, float] = {}
    for page in client.get_paginator("get_execution_history").paginate(executionArn=first["executionArn"]):
        for event in page["events"]:
            state: str = (event.get("stateEnteredEventDetails") or event.get("stateExitedEventDetails") or {}).get("name", "")
            # Those of a Map's iterations are not its own.
            if state not in definition["States"]:
                continue
            if "stateEnteredEventDetails" in event:
                entered[state] = event["timestamp"].timestamp()
            else:
                stages[state] = event["timestamp"].timestamp() - entered[state]
    return first["stopDate"].timestamp(), stages


def _pages(client: Any, machine: dict[str, Any]) -> Any:
    return client.get_paginator("list_executions").paginate(stateMachineArn=machine["stateMachineArn"])


def _floor(records: int) -> float:
    """Seconds of the scenario's own transforms module (loaded by its path: the harness does not import pipelines)."""
    template = load_scenario(find_scenario(SCENARIO)[1]).stack.template
    sys.path.insert(0, str(template.parents[2]))
    transforms = importlib.import_module(f"{template.parents[1].name}.{template.parent.name}.transforms")
    source = OrdersSource(1, records)
    financials = {item["uuid"]: item for item in source.lookup()}
    made = list(source)
    body = b"".join(source.frame(made[0].partition_key).parts(made))
    began = time.perf_counter()
    _, *lines = body.removesuffix(b"\n").split(b"\n")
    orders, _ = transforms.parse(lines, ",", 2)
    enriched, _ = transforms.enrich(orders, financials)
    transforms.to_csv((order.values for order in enriched), ",")
    return time.perf_counter() - began
