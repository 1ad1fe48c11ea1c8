"""A run of a scenario in a test: what it is of, and what it found."""

from __future__ import annotations

import io
import itertools
import os
import shlex
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from harness.accounting.verdict import Judgement
from harness.errors import UsageError
from harness.faults.plan import Fault
from harness.report.github import tell_github
from harness.report.html.page import left_report
from harness.report.result import result
from harness.report.run_record import record
from harness.report.terminal import Terminal
from harness.run.engine import conduct
from harness.run.recipe import make_recipe, open_load, reproduce_command
from harness.run.replay import keep
from harness.run.run_dir import create_run_dir
from harness.run.state import Run
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario
from harness.stack.runtimes import needs_node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.pytest_plugin.emulators import Emulators
    from harness.run.recipe import Recipe
    from harness.scenario.scenario import Scenario

_WIDTH = 160
_PLAN: TypeAdapter[tuple[Fault, ...]] = TypeAdapter(tuple[Fault, ...])


class WrongVerdictError(AssertionError):
    """A run has another verdict than the test wants; `account` is what it found."""

    def __init__(self, account: Account, wanted: str) -> None:
        because = "".join(f": {reason}" for reason in account.reasons[:1])
        super().__init__(f"the verdict is {account.verdict}, not {wanted}{because}\n{account.text}")
        self.account = account


@dataclass(frozen=True)
class Account:
    """What a run found. `result` is result.json (docs/run-directory.md), `text` what `pipeproof run` would have shown, `run_dir` holds the rest."""

    result: Mapping[str, Any]
    run_dir: Path
    text: str = field(repr=False)

    @property
    def verdict(self) -> str:
        """Returns pass, fail or unknown."""
        return str(self.result["verdict"])

    @property
    def passed(self) -> bool:
        """Returns whether every record is accounted for, and every check holds. Unknown is no pass."""
        return self.verdict == Judgement.PASS

    @property
    def reasons(self) -> Sequence[str]:
        """Returns why it is not a pass."""
        reasons: Sequence[str] = self.result["reasons"]
        return reasons

    @property
    def outcome(self) -> Mapping[str, int | None]:
        """Returns how many records were stored, dead_lettered, alerted, rejected and so on. None is a count that is not known."""
        outcome: Mapping[str, int | None] = self.result["outcome"]
        return outcome

    @property
    def anomalies(self) -> Mapping[str, int | None]:
        """Returns how many records were lost, duplicated and so on. None is a count that is not known."""
        anomalies: Mapping[str, int | None] = self.result["anomalies"]
        return anomalies

    def properties(self) -> list[tuple[str, str]]:
        """Returns what JUnit's XML says of a test: the verdict, the account and the directory of the run. Texts, which a worker can send."""
        counts = {**self.result["ingress"], **self.outcome, **self.anomalies}
        told = {"verdict": self.verdict, "seed": self.result["seed"], **counts, "run_dir": self.run_dir}
        return [(f"pipeproof.{name}", "unknown" if value is None else str(value)) for name, value in told.items()]

    def __repr__(self) -> str:
        return f"<Account of {self.result['scenario']}, seed {self.result['seed']}: {self.verdict}>\n{self.text}"


class Runner:
    """Runs scenarios, each in another AWS account. `out` is where run directories go; `number` tells this process from the other workers."""

    def __init__(self, emulators: Emulators, out: Path, number: int) -> None:
        self._emulators = emulators
        self._out = out
        # Beside an emulator that was up before this session, its accounts may not be unused.
        first = int.from_bytes(os.urandom(2)) * 10_000
        self._accounts = (f"{(number + 1) * 10**9 + first + count:012d}" for count in itertools.count())

    def account_id(self) -> str:
        """Returns the id of an AWS account that nothing else of this session uses."""
        return next(self._accounts)

    def run(
        self,
        scenario: str,
        *,
        seed: int | None = None,
        records: int | None = None,
        faults: Sequence[Mapping[str, Any]] | None = None,
        input: Path | str | None = None,  # noqa: A002 - as the command has it
        lookup: Path | str | None = None,
        verdict: str | None = "pass",
    ) -> Account:
        """Runs a scenario (a name from `pipeproof list`, or a .yaml file) and returns what it found. `faults` take the place of the scenario's own.

        Raises WrongVerdictError where its verdict is not the one that is wanted (None takes any), UsageError for what is wrong before it starts."""
        _check(seed, records, verdict)
        name, path = find_scenario(scenario)
        loaded = load_scenario(path)
        if faults is not None:
            loaded = _with_faults(loaded, faults)
        recipe = make_recipe(name, loaded, seed, records=records, input_path=_path(input), lookup_path=_path(lookup))
        account = self._run(recipe, scenario, records, is_own=faults is None)
        if verdict is not None and account.verdict != verdict:
            raise WrongVerdictError(account, verdict)
        return account

    def _run(self, recipe: Recipe, scenario: str, records: int | None, *, is_own: bool) -> Account:
        stack = recipe.scenario.stack
        load = open_load(recipe)
        emulator = self._emulators.shared(node=needs_node(stack.template, stack.parameters))
        run_dir = create_run_dir(self._out, recipe.name)
        command = reproduce_command(
            _from_here(scenario), recipe.seed, records, "auto", recipe.input_path, lookup_path=recipe.lookup_path
        )
        if not is_own:
            command = shlex.join(["pipeproof", "replay", str(run_dir)])
        shown = io.StringIO()
        run = Run(recipe, load, emulator, "that of this pytest session", command, run_dir, self.account_id())
        keep(recipe, run_dir)
        with Terminal(Console(file=shown, width=_WIDTH, force_terminal=False, no_color=True)) as terminal:
            finished = record(run_dir, conduct(run), terminal.show)
        shown.write(f"{left_report(run_dir)}\n")
        # pytest has the output of a test, where no runner of GitHub reads it.
        tell_github(finished, annotate=False)
        if finished.permissions is not None and finished.permissions.mode == "report" and finished.permissions.denied:
            first = finished.permissions.denied[0]
            warnings.warn(
                f"{finished.scenario}: AWS would deny calls, such as {first}; iam: enforce denies them here too", stacklevel=2
            )
        return Account(result(finished), run_dir, shown.getvalue())


def _check(seed: object, records: object, verdict: object) -> None:
    for name, given, least in (("seed", seed, 0), ("records", records, 1)):
        if given is not None and not (type(given) is int and given >= least):
            message = f"{name}={given!r}: expected a whole number, {least} or more"
            raise UsageError(message)
    if verdict not in (Judgement.PASS, Judgement.FAIL, None):
        raise UsageError(f"verdict={verdict!r}: expected 'pass', 'fail' or None")


def _with_faults(scenario: Scenario, faults: Sequence[Mapping[str, Any]]) -> Scenario:
    if not isinstance(faults, list | tuple):
        # A generator would be empty for the next test.
        raise UsageError(f"faults={faults!r}: expected a list")
    try:
        return scenario.model_copy(update={"faults": _PLAN.validate_python(tuple(faults))})
    except ValidationError as error:
        lines = [f"faults.{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
        raise UsageError("\n".join(lines)) from error


def _from_here(scenario: str) -> str:
    """Returns a path below the current directory as seen from there, so that the command works in another checkout; else what was given."""
    path = Path(scenario)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else scenario


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)
