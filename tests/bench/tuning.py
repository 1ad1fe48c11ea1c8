"""`tox -e bench -- tuning`: what the three parameter sets of the clickstream template trade: latency, throughput, cost.

Latency is that of a steady load, from the answer of Kinesis to the object in S3; throughput that of a load as fast as it goes. Invocations and their time
are counted in the run's journal; their price is AWS's, in prices.yaml, for the time that they took on this machine.
"""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from pydantic_core import from_json

from harness.aws.estimate import prices as aws_prices
from harness.emulator.embedded import Embedded
from harness.errors import UnknownVerdictError
from harness.parts.rate import Unlimited
from harness.run import events
from harness.run.journal import JOURNAL
from harness.run.recipe import make_recipe, open_load
from harness.run.state import Run
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario
from tests.bench.figures import Figure, write
from tests.bench.rig import conducted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.scenario.scenario import Scenario

SETS = ("low-latency", "high-throughput", "cost-optimised")
_FUNCTION = "StreamTransformFunction"


@dataclass(frozen=True, slots=True)
class Tuned:
    """One round of a set: milliseconds of latency, records per second, and what the transforming function cost for a million records."""

    p50_ms: float
    p99_ms: float
    records_per_s: float
    invocations: int
    gb_seconds: float
    objects: int
    records: int

    def price(self, prices: Mapping[str, Any]) -> float:
        """Returns US dollars for a million records: invocations, their time, and the objects that they put."""
        once = (
            self.invocations * prices["lambda_request"]
            + self.gb_seconds * prices["lambda_gb_second"]
            + self.objects * prices["s3_put"]
        )
        return float(once * 1_000_000 / self.records)


def bench_tuning(
    records: int, repetitions: int, out: Path, tell: Callable[[str], None]
) -> tuple[list[Figure], dict[str, dict[str, list[float]]]]:
    """All figures, and the panels of their plot. Raises UnknownVerdictError where a measured run does not pass."""
    rounds: dict[str, list[Tuned]] = {name: [] for name in SETS}
    prices = aws_prices()
    with tempfile.TemporaryDirectory(prefix="pipeproof-bench-") as scratch:
        # In turns, so that a change of the machine's load meets all.
        for number in range(repetitions):
            for name in SETS:
                tell(f"run {number + 1} of {repetitions}: {records:,} events, {name}")
                rounds[name].append(_measured(name, records, Path(scratch)))
    figures = [figure for name in SETS for figure in _figures(name, rounds[name], prices)]
    write(figures, out)
    panels = {
        "latency p50, ms": {name: [one.p50_ms for one in rounds[name]] for name in SETS},
        "latency p99, ms": {name: [one.p99_ms for one in rounds[name]] for name in SETS},
        "as fast as it goes, records/s": {name: [one.records_per_s for one in rounds[name]] for name in SETS},
        "a million events on AWS, US$": {name: [one.price(prices) for one in rounds[name]] for name in SETS},
    }
    return figures, panels


def _figures(name: str, rounds: list[Tuned], prices: Mapping[str, Any]) -> Iterator[Figure]:
    yield Figure(f"{name}: latency p50", "ms", tuple(one.p50_ms for one in rounds), None, "lower")
    yield Figure(f"{name}: latency p99", "ms", tuple(one.p99_ms for one in rounds), None, "lower")
    yield Figure(f"{name}: as fast as it goes", "records/s", tuple(one.records_per_s for one in rounds))
    yield Figure(f"{name}: invocations", "per run", tuple(float(one.invocations) for one in rounds), None, "lower")
    yield Figure(f"{name}: memory and time", "GB-s", tuple(one.gb_seconds for one in rounds), None, "lower")
    yield Figure(f"{name}: a million events on AWS", "US$", tuple(one.price(prices) for one in rounds), None, "lower")


def _measured(name: str, records: int, root: Path) -> Tuned:
    scenario = load_scenario(find_scenario(f"clickstream-{name}")[1])
    steady = _run(name, scenario, records, root)
    fast = _run(
        name,
        scenario.model_copy(update={"send": scenario.send.model_copy(update={"rate": Unlimited(shape="unlimited")})}),
        records,
        root,
    )
    latencies = duckdb.sql(f"""
        SELECT quantile_cont(o.seen_at_ms - l.offered_at_ms, [0.5, 0.99])
        FROM '{steady.run_dir}/ledger.parquet' l JOIN '{steady.run_dir}/observations.parquet' o ON l.record_id = o.record_id
        WHERE o.outcome = 'stored'
    """).fetchall()[0][0]
    own = [entry for entry in _journal(steady.run_dir) if _FUNCTION in entry["name"]]
    took_ms = [entry["took_ms"] for entry in own if entry["kind"] == "invocation"]
    puts = sum(entry["kind"] == "call" and entry["call"] == "s3.PutObject" for entry in own)
    memory_gb = int(scenario.stack.parameters["TransformMemory"]) / 1024
    return Tuned(*latencies, fast.timing.records_per_s, len(took_ms), sum(took_ms) / 1000 * memory_gb, puts, records)


def _run(name: str, scenario: Scenario, records: int, root: Path) -> events.RunFinished:
    run_dir = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
    recipe = make_recipe(f"clickstream-{name}", scenario, None, records=records)
    run = Run(recipe, open_load(recipe), Embedded(run_dir / "emulator.log"), "embedded", "", run_dir)
    finished = next(event for event in conducted(run) if isinstance(event, events.RunFinished))
    if finished.verdict.judgement.value != "pass":
        raise UnknownVerdictError(f"{name}: {'; '.join(finished.verdict.reasons)}")
    return finished


def _journal(run_dir: Path) -> Iterator[dict[str, Any]]:
    with pa.CompressedInputStream(pa.OSFile(str(run_dir / JOURNAL)), "zstd") as stream:
        for line in io.BufferedReader(stream):
            yield from_json(line)
