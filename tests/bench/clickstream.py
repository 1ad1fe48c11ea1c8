"""`pipeproof bench clickstream`: the speeds that README.md names, with their spread, and their ratio to the floor.

The floor is the least that any implementation must do: the same transforms on the same bytes in one process, the same objects written
to disk. Each figure is the median of several rounds.
"""

from __future__ import annotations

import importlib
import io
import resource
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import reconcile
from harness.accounting.record import Answer, Observation, Outcome, Status
from harness.emulator.choose import choose_own
from harness.emulator.clients import Clients
from harness.emulator.embedded import Embedded
from harness.emulator.shared import Shared
from harness.errors import UnknownVerdictError, UsageError
from harness.faults.plan import load, named
from harness.parts.sources.clickstream import ClickstreamLoad
from harness.run import events
from harness.run.recipe import Recipe, open_load
from harness.run.state import Run
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario
from tests.bench.figures import Figure, write
from tests.bench.rig import conducted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.emulator.emulator import Description, Emulator
    from harness.faults.plan import Plan

SCENARIO = "clickstream-10k"
_RECONCILED = 1_000_000
_GENERATED = 200_000
_WARM = 300
_BATCH = 500
# A few percent are less than one run differs from the next: many pairs, on one emulator.
_PAIRS = 3
_PAIRED = 50_000


def bench_clickstream(repetitions: int, out: Path, tell: Callable[[str], None]) -> list[Figure]:
    """All figures, in the order of README.md. Raises UnknownVerdictError where a measured run does not pass: a fast loss is no speed."""
    with tempfile.TemporaryDirectory(prefix="pipeproof-bench-") as scratch:
        root = Path(scratch)
        tell("generator")
        generator = _repeat(
            repetitions, lambda _: _GENERATED / _timed(lambda: sum(1 for _ in ClickstreamLoad(1, _GENERATED).units()))
        )
        tell("floor: the transforms alone, in one process")
        floor = _repeat(repetitions, lambda n: _floor(10_000, root / f"floor-{n}"))
        kinds = _kinds(root, tell)
        runs: dict[tuple[str, int], list[events.RunFinished]] = {(kind, n): [] for n in (10_000, 100_000) for kind in kinds}
        # Alternating, so that a change of the machine's load meets all.
        for number in range(repetitions):
            for (kind, records), finished in runs.items():
                tell(f"run {number + 1} of {repetitions}: {records:,} events through the {kind} emulator")
                finished.append(_run(kind, records, root))
        armed = _armed(_PAIRS * repetitions, root, tell)
        tell("Lambda: cold and warm starts")
        cold, warm = _lambda(repetitions, root)
        tell(f"reconciling {_RECONCILED:,} records")
        # In a process of its own: its memory is not that of all the runs before.
        with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as alone:
            rounds = alone.map(_reconcile, [root / f"reconcile-{n}" for n in range(repetitions)])
            seconds, memory_mb = zip(*rounds, strict=True)
    start = tuple(f.timing.start_s + f.timing.deploy_s for f in runs["embedded", 10_000])
    small = tuple(f.timing.records_per_s for f in runs["embedded", 10_000])
    large = tuple(f.timing.records_per_s for f in runs["embedded", 100_000])
    figures = [
        Figure("emulator start and deploy", "s", start, 8, "lower"),
        Figure("10,000 events, put to stored", "records/s", small, 3000),
        Figure("100,000 events, put to stored", "records/s", large),
        Figure(
            "time per record, 100,000 to 10,000", "ratio", tuple(s / b for s, b in zip(small, large, strict=True)), 1.2, "lower"
        ),
        Figure("floor (transforms only, one process)", "records/s", floor),
        Figure("floor to 10,000 events", "ratio", tuple(f / s for f, s in zip(floor, small, strict=True)), None, "lower"),
        *_beside(runs),
        Figure(
            "time per record with an armed fault gateway",
            "ratio",
            armed,
            1.03,
            "lower",
        ),
        Figure("Lambda cold start", "s", cold, 0.15, "lower"),
        Figure("Lambda warm, one at a time", "invocations/s", warm, 150),
        Figure("generator", "events/s", generator, 200_000),
        Figure("reconcile 1,000,000 records", "s", seconds, 8, "lower"),
        Figure("peak memory of the harness", "MB", memory_mb, 1024, "lower"),
    ]
    write(figures, out)
    return figures


def _repeat(repetitions: int, measure: Callable[[int], float]) -> tuple[float, ...]:
    return tuple(measure(number) for number in range(repetitions))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _floor(records: int, out: Path) -> float:
    """Records per second of the scenario's own transforms module (loaded by its path: the harness does not import pipelines)."""
    _, path = find_scenario(SCENARIO)
    template = load_scenario(path).stack.template
    sys.path.insert(0, str(template.parents[2]))
    transforms = importlib.import_module(f"{template.parents[1].name}.{template.parent.name}.transforms")
    payloads = [record.payload for record in ClickstreamLoad(1, records).units()]

    def work() -> None:
        for start in range(0, records, _BATCH):
            parsed = [transforms.parse(payload) for payload in payloads[start : start + _BATCH]]
            for hour, group in transforms.group_by_hour(parsed).items():
                now = parsed[0].hour
                file = out / transforms.object_key(hour, "shard", str(start), str(start + _BATCH))
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(transforms.ndjson([transforms.enrich(e, processed_at=now, is_new_user=False) for e in group]))

    return records / _timed(work)


def _kinds(root: Path, tell: Callable[[str], None]) -> tuple[str, ...]:
    """The emulators to measure: the container too where an engine answers, with its image built beforehand."""
    try:
        container, _ = choose_own("container", root / "prepare.log")
    except UsageError as error:
        tell(f"without the container: {error}")
        return ("embedded",)
    for step in container.prepare():
        tell(step)
    return ("embedded", "container")


def _beside(runs: dict[tuple[str, int], list[events.RunFinished]]) -> Iterator[Figure]:
    """The container's speed, and its ratio to embedded in the same rounds."""
    for records in (10_000, 100_000):
        inside = tuple(f.timing.records_per_s for f in runs.get(("container", records), ()))
        if inside:
            outside = (f.timing.records_per_s for f in runs["embedded", records])
            yield Figure(f"{records:,} events in the container", "records/s", inside)
            ratios = tuple(i / o for i, o in zip(inside, outside, strict=True))
            yield Figure(f"container to embedded, {records:,} events", "ratio", ratios, 0.75)


# Addressed to what every record and every batch passes through, and to a number that no call has.
_NEVER: Plan = named(
    load(
        [
            {"kind": "throttle", "service": service, "calls": "999999"}
            for service in ("kinesis", "lambda", "s3", "dynamodb", "sqs", "logs")
        ]
        + [{"kind": "lambda_error_before", "function": "StreamTransformFunction", "invocations": "999999"}]
    ),
    seed=1,
)


def _armed(pairs: int, root: Path, tell: Callable[[str], None]) -> tuple[float, ...]:
    """Time with faults that are armed and meet nothing, to the time without, pair by pair; which comes first changes."""
    emulator, _ = choose_own("embedded", root / "armed.log")
    shared = Shared(emulator, emulator.start())
    try:
        _run(shared, _PAIRED, root)
        ratios = []
        for number in range(pairs):
            tell(f"pair {number + 1} of {pairs}: {_PAIRED:,} events with and without faults that are armed and meet nothing")
            rates = {armed: _run(shared, _PAIRED, root, _NEVER if armed else ()) for armed in (number % 2 == 0, number % 2 == 1)}
            ratios.append(rates[False].timing.records_per_s / rates[True].timing.records_per_s)
        return tuple(ratios)
    finally:
        emulator.stop()


def _run(on: str | Shared, records: int, root: Path, faults: Plan = ()) -> events.RunFinished:
    """A run that passes, on a new emulator of this kind or one that runs; with faults, one that would, but for faults that never fired."""
    name, path = find_scenario(SCENARIO)
    scenario = load_scenario(path)
    run_dir = Path(tempfile.mkdtemp(prefix=f"run-{records}-", dir=root))
    recipe = Recipe(name, scenario, scenario.seed, records, faults=faults)
    emulator: Emulator = choose_own(on, run_dir / "emulator.log")[0] if isinstance(on, str) else on
    *_, finished = conducted(Run(recipe, open_load(recipe), emulator, "", "bench", run_dir))
    assert isinstance(finished, events.RunFinished)
    stored = finished.account.outcome.stored == records and not any(finished.account.anomalies.values())
    if finished.verdict.judgement != ("unknown" if faults else "pass") or not stored:
        message = f"a measured run of {records:,} records did not pass: {'; '.join(finished.verdict.reasons)}"
        raise UnknownVerdictError(message)
    return finished


def _lambda(repetitions: int, root: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds of a first invocation (init included), and warm invocations per second, of a function that returns."""
    emulator = Embedded(root / "lambda.log")
    try:
        description = emulator.start()
        client = Clients(description.endpoint)("lambda")
        cold, warm = [], []
        # The first environment of an emulator also fills its caches; every later one is what a person meets all day.
        for number, name in enumerate(f"bench-{n}" for n in range(repetitions + 1)):
            _create_function(client, description, name)
            first = _timed(lambda name=name: _invoke(client, name))  # type: ignore[misc]
            rate = _WARM / _timed(lambda name=name: _invoke_warm(client, name))  # type: ignore[misc]
            if number:
                cold.append(first)
                warm.append(rate)
        return tuple(cold), tuple(warm)
    finally:
        emulator.stop()


def _create_function(client: Any, description: Description, name: str) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
    client.create_function(
        FunctionName=name,
        Runtime=description.python_runtime,
        Role="arn:aws:iam::000000000000:role/bench",
        Handler="app.handler",
        Code={"ZipFile": package.getvalue()},
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def _invoke(client: Any, name: str) -> None:
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    answer["Payload"].read()
    if answer.get("FunctionError"):
        message = f"the benchmark's function failed: {answer}"
        raise UnknownVerdictError(message)


def _invoke_warm(client: Any, name: str) -> None:
    for _ in range(_WARM):
        _invoke(client, name)


def _reconcile(root: Path) -> tuple[float, float]:
    """Seconds to reconcile a million stored records, and the most memory that this process has held so far, in MB."""
    root.mkdir()
    with Ledger(root / "ledger.parquet") as ledger:
        for number, record in enumerate(_million().units()):
            ledger.add(record, Answer(Status.ACKED, 1000, "shardId-000000000000", f"{number:056d}"))

    def sightings() -> Iterator[Observation]:
        for record in _million().units():
            assert record.promised is not None
            content = record.promised[:-1] + b',"processedAt":"2026-01-31T12:00:00.000Z","isNewUser":false}'
            yield Observation(Outcome.STORED, "s3://bucket/key", record.record_id, seen_at_ms=2000, content=content)

    write_observations(root / "observations.parquet", sightings())
    seconds = _timed(lambda: _expect_clean(root))
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _million() -> ClickstreamLoad:
    return ClickstreamLoad(1, _RECONCILED)


def _expect_clean(root: Path) -> None:
    account = reconcile(root / "ledger.parquet", root / "observations.parquet", root)
    if account.outcome.stored != _RECONCILED or any(account.anomalies.values()):
        message = f"the benchmark's own records did not reconcile: {account.outcome}, {account.anomalies}"
        raise UnknownVerdictError(message)
