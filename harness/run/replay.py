"""Keeps in a run's directory what `replay` needs to offer the same bytes and to meet the same faults, and reads it again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.documents import read_json
from harness.errors import UsageError
from harness.faults.plan import RecordFault, dump, load, resolved
from harness.parts.part import MOST_RECORDS
from harness.run.addresses import Records, by_content
from harness.run.journal import JOURNAL, entries
from harness.run.order import batches, writes
from harness.run.recipe import Recipe
from harness.run.reproduced import anomalies
from harness.run.run_dir import FAULTS, PLAN, readable
from harness.scenario.loading import scenario_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.faults.plan import Plan

_RESULT, _FAULTS, _LEDGER, _INPUT, _LOOKUP = (
    "result.json", FAULTS, "ledger.parquet", "input", "lookup",
)  # fmt: skip


class _Kept(BaseModel):
    """What plan.json has."""

    model_config = ConfigDict(extra="forbid", strict=True)

    scenario: Annotated[str, Field(pattern=r"^[^/\x00]{1,200}$")]
    document: dict[str, Any]
    seed: Annotated[int, Field(ge=0)]
    records: Annotated[int, Field(gt=0, le=MOST_RECORDS)] | None
    input: str | None
    lookup: str | None
    faults: list[Any]
    names: dict[str, str] = {}


def keep(recipe: Recipe, run_dir: Path) -> None:
    """Writes the recipe into the run directory, with copies of its files."""
    original = recipe.input_path or getattr(recipe.scenario.source, "path", None)
    document = {
        "scenario": recipe.name,
        "document": recipe.scenario.document(),
        "seed": recipe.seed,
        "records": recipe.records,
        "input": _copy(original, run_dir / _INPUT),
        "lookup": _copy(recipe.lookup_path, run_dir / _LOOKUP),
        "faults": dump(recipe.faults),
    }
    (run_dir / PLAN).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def keep_plan(faults: Plan, run_dir: Path) -> None:
    """Writes another fault plan into the kept recipe."""
    _keep_also(run_dir, {"faults": dump(faults)})


def keep_names(physical: Mapping[str, str], run_dir: Path) -> None:
    """Writes the names that the deployment has given to the resources of the template: those that the journal and the log of faults have."""
    _keep_also(run_dir, {"names": dict(physical)})


def _keep_also(run_dir: Path, more: Mapping[str, Any]) -> None:
    path = run_dir / PLAN
    if not path.is_file():
        # A rehearsal has no plan, because no user replays it.
        return
    document = json.loads(path.read_text(encoding="utf-8")) | more
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _copy(original: Path | None, folder: Path) -> str | None:
    """Copies the file into a separate folder, under its name, which may be part of what is offered. Returns its path from the run directory."""
    if original is None:
        return None
    folder.mkdir()
    shutil.copyfile(original, folder / original.name)
    return f"{folder.name}/{original.name}"


def recall(run_dir: Path) -> tuple[Recipe, str]:
    """Returns the recipe that repeats an earlier run, and the hash of the bytes that it offered (empty where it did not get that far). Its
    faults are addressed to what they met in that run, and it takes the same batches from streams.

    Raises UsageError for a path that is not a run directory, or for one whose template is gone."""
    recipe, names = _read(run_dir)
    with readable(run_dir):
        faults, taken, written = _met(run_dir, recipe.faults, names)
        # The comparison comes after the replay: what it needs must be there before.
        anomalies(run_dir)
        template = recipe.scenario.stack.template
        there = template.is_file()
    if not there:
        message = f"the template of that run is no longer there: {template}"
        raise UsageError(message)
    return replace(recipe, faults=faults, batches=taken, writes=written), _offered(run_dir)


def kept(run_dir: Path) -> Recipe:
    """Returns the recipe that `keep` has written. Raises UsageError as `recall` does."""
    return _read(run_dir)[0]


def _read(run_dir: Path) -> tuple[Recipe, Mapping[str, str]]:
    """Returns the recipe, and the names that the deployment has given."""
    document = read_json(run_dir / PLAN, "the plan of a run")
    try:
        plan = _Kept.model_validate(document)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise UsageError(f"{run_dir / PLAN}: {'.'.join(map(str, detail['loc'])) or 'the document'}: {detail['msg']}") from error
    with readable(run_dir):
        scenario = scenario_of(plan.document, run_dir)
        given, lookup = (_inside(run_dir, name) for name in (plan.input, plan.lookup))
        return Recipe(plan.scenario, scenario, plan.seed, plan.records, given, load(plan.faults), lookup), plan.names


def _inside(run_dir: Path, name: str | None) -> Path | None:
    if name is None:
        return None
    path = run_dir / name
    if not path.resolve().is_relative_to(run_dir.resolve()):
        raise ValueError(f"{name} is not in it")
    return path


def _met(
    run_dir: Path, plan: Plan, physical: Mapping[str, str]
) -> tuple[Plan, tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    """Returns the plan as it is met again, the batches and the writes; the plan as it was, where the run has left no journal."""
    if not ((run_dir / JOURNAL).is_file() and (run_dir / _LEDGER).is_file()):
        # It broke off before anything was met.
        return plan, (), ()
    used = {name for fault in plan for key in ("function", "resource", "caller") if (name := getattr(fault, key, None))}
    # Two resources may have one name, such as a table and a bucket.
    logical = {name: logical for logical, name in physical.items()} | {physical[name]: name for name in used if name in physical}
    log = json.loads((run_dir / _FAULTS).read_text(encoding="utf-8"))["fired"] if (run_dir / _FAULTS).is_file() else []
    ids = pq.read_table(run_dir / _LEDGER, columns=["record_id"])["record_id"].to_pylist()
    records = Records(ids)
    of_records = tuple(fault for fault in plan if isinstance(fault, RecordFault))
    met = by_content(resolved(plan, physical), log, lambda: (entry for entry, _ in entries(run_dir)), records)
    taken = [
        {**one, "stream": logical.get(one["stream"], one["stream"]), "function": logical.get(one["function"], one["function"])}
        for one in batches(entry for entry, _ in entries(run_dir))
    ]
    written = [
        {**one, "place": "/".join([logical.get(bucket, bucket), key])}
        for one in writes(lambda: (entry for entry, _ in entries(run_dir)), records)
        for bucket, _, key in [one["place"].partition("/")]
    ]
    return (*of_records, *resolved(met, logical)), tuple(taken), tuple(written)


def _offered(run_dir: Path) -> str:
    try:
        return str(read_json(run_dir / _RESULT, "the result of a run").get("payload_sha256", ""))
    except (UsageError, AttributeError):
        return ""
