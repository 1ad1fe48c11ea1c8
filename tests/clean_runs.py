"""Clean runs of all scenarios, with seeds and sizes drawn anew: none may fail. `tox -e clean-runs -- 400` makes four hundred.

A run is unknown where its load is too small for one of its faults to fire, or to hold a healthy record: such runs are counted by themselves. Every other one that is not a pass is printed
with the command that repeats it. Exit 0 where there is none.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import click

from harness.accounting.verdict import Judgement
from harness.emulator.choose import choose_emulator
from harness.emulator.shared import Shared
from harness.report.run_record import record
from harness.run.engine import conduct
from harness.run.recipe import make_recipe, open_load, reproduce_command
from harness.run.replay import keep
from harness.run.run_dir import create_run_dir
from harness.run.state import Run
from harness.scenario.catalogue import find_scenario, scenario_files
from harness.scenario.loading import load_scenario

LARGEST = 4001
_SMALL = ("never fired", "none of the calls and invocations", "every record of the load is malformed")


@dataclass(frozen=True)
class Case:
    scenario: str
    seed: int
    records: int


def drawn(number: int, seed: int, names: list[str]) -> list[Case]:
    """Returns the cases: every scenario in turn, a size between 1 and LARGEST (as many small ones as large ones), and any seed."""
    rng = random.Random(seed)
    order = [name for _ in range(-(-number // len(names))) for name in rng.sample(names, len(names))][:number]
    return [Case(name, rng.randrange(2**31), round(math.exp(rng.uniform(0, math.log(LARGEST))))) for name in order]


def files_of(case: Case, folder: Path) -> dict[str, Path]:
    """Makes what a scenario takes by --input and --lookup; nothing for the others."""
    folder.mkdir()
    if case.scenario == "clickstream-replay":
        log = folder / "access.log"
        line = '10.0.{a}.{b} - - [17/May/2015:{h:02d}:{m:02d}:03 +0{z}00] "GET /page/{n}?q=%20x HTTP/1.1" 200 {n} "-" "Agent/{n} (\\"x\\")"\n'
        with log.open("w") as file:
            for n in range(case.records):
                file.write(line.format(a=n % 7, b=n % 250, h=n % 24, m=n % 60, z=n % 10, n=n))
        return {"input_path": log}
    if case.scenario == "orders-replay":
        orders = open_load(make_recipe("orders", load_scenario(find_scenario("orders-smoke")[1]), case.seed, records=case.records))
        # The seed's own files, one of them with all its rows: as a user has them.
        first = next(iter(orders.units()))
        (folder / "orders.csv").write_bytes(b"".join(first.parts()))
        items = list(orders.lookup())
        rows = [",".join(items[0]), *(",".join(item.values()) for item in items)]
        (folder / "financials.csv").write_text("\n".join(rows) + "\n")
        return {"input_path": folder / "orders.csv", "lookup_path": folder / "financials.csv"}
    return {}


def run(case: Case, emulator: Shared, out: Path, account: str) -> tuple[Case, str, str, str]:
    """Returns the case, its verdict, the reasons, and the command that repeats it."""
    name, path = find_scenario(case.scenario)
    command = reproduce_command(name, case.seed, case.records, "auto", None)
    try:
        recipe = make_recipe(name, load_scenario(path), case.seed, records=case.records, **files_of(case, out / f"files-{account}"))
        load = open_load(recipe)
        run_dir = create_run_dir(out, name)
        keep(recipe, run_dir)
        finished = record(run_dir, conduct(Run(recipe, load, emulator, "shared", command, run_dir, account)))
    except Exception:  # noqa: BLE001 - whatever it is, it must be told, and the other runs go on
        return case, "traceback", traceback.format_exc(), command
    reasons = finished.verdict.reasons
    small = finished.verdict.judgement is Judgement.UNKNOWN and all(any(text in reason for text in _SMALL) for reason in reasons)
    return case, "too small" if small else str(finished.verdict.judgement), "; ".join(reasons), command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("number", type=int, nargs="?", default=len(scenario_files()))
    parser.add_argument("--draw", type=int, default=1, help="seed of what is drawn")
    parser.add_argument("--emulator", default="embedded")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scenario", action="append", help="only these")
    asked = parser.parse_args()
    cases = drawn(asked.number, asked.draw, asked.scenario or sorted(scenario_files()))
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="pipeproof-clean-") as scratch:
        out = Path(scratch)
        emulator, _ = choose_emulator(asked.emulator, out / "emulator.log")
        try:
            for step in emulator.prepare():
                click.echo(step)
            shared = Shared(emulator, emulator.start())
            with ThreadPoolExecutor(asked.workers) as pool:
                futures = [pool.submit(run, case, shared, out, f"{n:012d}") for n, case in enumerate(cases, 1)]
                for done, future in enumerate(as_completed(futures), 1):
                    case, verdict, reasons, command = future.result()
                    counts[verdict] += 1
                    good = verdict in {"pass", "too small"}
                    click.echo(
                        f"{done:>4} of {len(cases)}  {verdict:<9} {case.scenario} seed {case.seed}, {case.records:,} records",
                    )
                    if not good:
                        click.echo(f"      {reasons}\n      {command}")
        finally:
            emulator.stop()
    click.echo(", ".join(f"{verdict} {count}" for verdict, count in sorted(counts.items())))
    return 0 if set(counts) <= {"pass", "too small"} else 1


if __name__ == "__main__":
    sys.exit(main())
