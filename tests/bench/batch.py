"""`pipeproof bench batch`: how long a batch takes from the upload to the end of its execution, the e-mail with the link; by stage.

The floor is the least that any implementation must do: the same transforms on the same bytes in one process. AWS tells 5 minutes for 10,000
records and 7 for 100,000 of the article that the system is from (github.com/aws-samples/aws-serverless-batch-architecture). A peer is another
emulator that runs the same template and file, in turns.
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
from botocore.exceptions import BotoCoreError, ClientError

from harness.emulator.clients import Clients
from harness.emulator.embedded import Embedded
from harness.errors import UnknownVerdictError
from harness.run import events
from harness.run.recipe import Recipe, open_load
from harness.run.state import Run
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario
from tests.bench import ministack
from tests.bench.figures import Figure, write
from tests.bench.ministack import MiniStack
from tests.bench.rig import conducted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.emulator.emulator import Description, Emulator

SCENARIO = "orders-10k"
_PUBLISHED_S = {10_000: 300.0, 100_000: 420.0}
_COMPLETE_WITHIN_S = 1800
_POLL_S = 0.05
_TARGETS_S = {10_000: 8.0, 100_000: 15.0}


PEERS = ("ministack",)

EMBEDDED, FLOOR, ARTICLE = "embedded", "floor (transforms only, one process)", "the article, on AWS"
_BOTH = "as MiniStack can run them"


@dataclass(frozen=True, slots=True)
class Completion:
    """One batch: seconds from the upload to the end of its execution, and in each state of it; how many rows were stored, and lost."""

    total_s: float
    stages_s: Mapping[str, float]
    stored: int
    lost: int


@dataclass(frozen=True, slots=True)
class Series:
    """What a plot shows: seconds of all rounds by number of records."""

    name: str
    seconds: Mapping[int, Sequence[float]]


def bench_batch(
    records: Sequence[int], repetitions: int, out: Path, tell: Callable[[str], None], peer: str | None = None
) -> tuple[list[Figure], list[Series]]:
    """All figures, for each number of records, and what of them makes a plot. Raises UnknownVerdictError where a measured run of ours does
    not pass: a fast loss is no speed."""
    records = tuple(dict.fromkeys(records))
    measured: dict[int, list[Completion]] = {number: [] for number in records}
    floors: dict[int, list[float]] = {number: [] for number in records}
    beside: dict[int, list[tuple[Completion, Completion]]] = {number: [] for number in records}
    with tempfile.TemporaryDirectory(prefix="pipeproof-bench-") as scratch:
        root = Path(scratch)
        both = ministack.template_for_both(_template(), root / "template") if peer else _template()
        # Alternating, so that a change of the machine's load meets all.
        for repetition in range(repetitions):
            for number in records:
                tell(f"run {repetition + 1} of {repetitions}: {number:,} orders")
                measured[number].append(_complete(number, root, tell))
                floors[number].append(_floor(number))
                if peer:
                    tell(f"run {repetition + 1} of {repetitions}: {number:,} orders {_BOTH}")
                    turns = [False, True] if repetition % 2 else [True, False]
                    pair = {on_peer: _complete(number, root, tell, both, on_peer=on_peer) for on_peer in turns}
                    beside[number].append((pair[False], pair[True]))
    figures = [figure for number in records for figure in _of(number, measured[number], floors[number])]
    figures += [figure for number in records if beside[number] for figure in _beside(number, beside[number])]
    if {10_000, 100_000} <= set(records):
        pairs = zip(measured[100_000], measured[10_000], strict=True)
        figures.append(Figure("100,000 to 10,000 orders", "ratio", tuple(b.total_s / s.total_s for b, s in pairs), 8, "lower"))
    write(figures, out)
    series = [
        Series(EMBEDDED, {number: [c.total_s for c in measured[number]] for number in records}),
        Series(FLOOR, floors),
        Series(ARTICLE, {number: [_PUBLISHED_S[number]] for number in records if number in _PUBLISHED_S}),
    ]
    if peer:
        series.append(Series(f"embedded, {_BOTH}", {number: [ours.total_s for ours, _ in beside[number]] for number in records}))
        series.append(Series(f"MiniStack {ministack.VERSION}", {n: [theirs.total_s for _, theirs in beside[n]] for n in records}))
    return figures, series


def _beside(records: int, pairs: Sequence[tuple[Completion, Completion]]) -> list[Figure]:
    name = f"{records:,} orders {_BOTH}"
    ratios = tuple(theirs.total_s / ours.total_s for ours, theirs in pairs)
    figures = [
        Figure(f"{name}: embedded", "s", tuple(ours.total_s for ours, _ in pairs), None, "lower"),
        Figure(f"{name}: MiniStack", "s", tuple(theirs.total_s for _, theirs in pairs), None, "lower"),
        Figure(f"{name}: MiniStack to embedded", "ratio", ratios),
    ]
    for place, who in enumerate(("embedded", "MiniStack")):
        figures.append(Figure(f"{name}: stored by {who}", "records", tuple(float(pair[place].stored) for pair in pairs)))
        figures.append(Figure(f"{name}: lost by {who}", "records", tuple(float(pair[place].lost) for pair in pairs), None, "lower"))
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


def _template() -> Path:
    return load_scenario(find_scenario(SCENARIO)[1]).stack.template


def _complete(
    records: int, root: Path, tell: Callable[[str], None], template: Path | None = None, *, on_peer: bool = False
) -> Completion:
    """A run on an emulator of its own; its executions are read while the stack is still there."""
    name, path = find_scenario(SCENARIO)
    scenario = load_scenario(path)
    run_dir = Path(tempfile.mkdtemp(prefix=f"run-{records}-", dir=root))
    emulator: Emulator = (MiniStack if on_peer else Embedded)(run_dir / "emulator.log")
    stack = scenario.stack if template is None else scenario.stack.model_copy(update={"template": template})
    # What MiniStack can run has not the permissions of the template that it is made of.
    iam = scenario.iam if template is None else "off"
    scenario = scenario.model_copy(update={"drain_timeout_s": _COMPLETE_WITHIN_S, "stack": stack, "iam": iam})
    recipe = Recipe(name, scenario, scenario.seed, records)
    run = Run(recipe, open_load(recipe), emulator, "to be measured", "", run_dir)
    description: Description | None = None
    stages: dict[str, float] = {}
    ended_at_s, finished = 0.0, None
    for event in conducted(run):
        match event:
            case events.EmulatorReady():
                description = event.emulator
            case events.EmulatorPreparing():
                tell(event.step)
            case events.PhaseStarted(phase="drain") if on_peer:
                # The run goes on when this returns. It cannot tell by itself when such an endpoint is at rest, and so has no verdict.
                assert description is not None
                _wait_for_execution(Clients(description.endpoint), emulator)
            case events.PhaseStarted(phase="reconcile"):
                assert description is not None
                if found := _execution(Clients(description.endpoint)):
                    ended_at_s, stages = found
            case events.RunFinished():
                finished = event
    assert finished is not None
    account = finished.account
    if not ended_at_s or account is None or (not on_peer and finished.verdict.judgement != "pass"):
        message = f"a measured run of {records:,} orders did not pass: {'; '.join(finished.verdict.reasons)}"
        raise UnknownVerdictError(message)
    ((offered_at_ms,),) = duckdb.connect().execute(f"SELECT min(offered_at_ms) FROM '{run_dir}/ledger.parquet'").fetchall()
    return Completion(ended_at_s - offered_at_ms / 1000, stages, account.outcome.stored, account.anomalies["lost"])


def _wait_for_execution(clients: Clients, emulator: Emulator) -> None:
    """Until the upload's execution has ended. Raises UnknownVerdictError where it does not."""
    deadline = time.monotonic() + _COMPLETE_WITHIN_S
    while time.monotonic() < deadline:
        emulator.check()
        try:
            found = list(_executions(clients))
        except (BotoCoreError, ClientError) as error:
            emulator.check()
            message = f"the executions cannot be read: {error}"
            raise UnknownVerdictError(message) from error
        if found and all(execution["status"] != "RUNNING" for execution in found):
            return
        time.sleep(_POLL_S)
    message = f"no execution ended within {_COMPLETE_WITHIN_S} s of the upload"
    raise UnknownVerdictError(message)


def _execution(clients: Clients) -> tuple[float, dict[str, float]] | None:
    """Of the execution that began first (it starts the others): when it ended, and the seconds in each of its states, in their order. None
    where there is none, or it has not ended."""
    client = clients("stepfunctions")
    first = min(_executions(clients), key=lambda execution: execution["startDate"], default=None)
    if first is None or first["status"] == "RUNNING":
        return None
    definition = json.loads(client.describe_state_machine(stateMachineArn=first["stateMachineArn"])["definition"])
    entered: dict[str, float] = {}
    stages: dict[str, float] = {}
    for page in client.get_paginator("get_execution_history").paginate(executionArn=first["executionArn"]):
        for event in page["events"]:
            state: str = (event.get("stateEnteredEventDetails") or event.get("stateExitedEventDetails") or {}).get("name", "")
            # Those of a Map's iterations are not its own.
            if state not in definition["States"] or definition["States"][state]["Type"] == "Succeed":
                continue
            if "stateEnteredEventDetails" in event:
                entered[state] = event["timestamp"].timestamp()
            else:
                stages[state] = event["timestamp"].timestamp() - entered[state]
    return first["stopDate"].timestamp(), stages


def _executions(clients: Clients) -> Iterator[dict[str, Any]]:
    client = clients("stepfunctions")
    for machine in client.list_state_machines()["stateMachines"]:
        for page in client.get_paginator("list_executions").paginate(stateMachineArn=machine["stateMachineArn"]):
            yield from page["executions"]


def _floor(records: int) -> float:
    """Seconds of the scenario's own transforms module (loaded by its path: the harness does not import pipelines)."""
    template = _template()
    sys.path.insert(0, str(template.parents[2]))
    transforms = importlib.import_module(f"{template.parents[1].name}.{template.parent.name}.transforms")
    load: Any = open_load(Recipe("floor", load_scenario(find_scenario(SCENARIO)[1]), 1, records))
    financials = {item["uuid"]: item for item in load.lookup()}
    (file,) = load.units()
    body = b"".join(file.parts())
    began = time.perf_counter()
    _, *lines = body.removesuffix(b"\n").split(b"\n")
    orders, _ = transforms.parse(lines, ",", 2)
    enriched, _ = transforms.enrich(orders, financials)
    transforms.to_csv((order.values for order in enriched), ",")
    return time.perf_counter() - began
