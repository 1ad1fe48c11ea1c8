"""Keeps in a run's directory what `replay` needs to offer the same bytes and arm the same faults, and reads it again."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.faults.plan import dump, load
from harness.run.recipe import Recipe
from harness.scenario.loading import scenario_of

if TYPE_CHECKING:
    from pathlib import Path

    from harness.faults.plan import Plan

_PLAN, _RESULT, _INPUT, _LOOKUP = "plan.json", "result.json", "input", "lookup"


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
    (run_dir / _PLAN).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def keep_plan(faults: Plan, run_dir: Path) -> None:
    """Writes another fault plan into the kept recipe."""
    path = run_dir / _PLAN
    document = json.loads(path.read_text(encoding="utf-8")) | {"faults": dump(faults)}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _copy(original: Path | None, folder: Path) -> str | None:
    """Copies the file into a separate folder, under its name, which may be part of what is offered. Returns its path from the run directory."""
    if original is None:
        return None
    folder.mkdir()
    shutil.copyfile(original, folder / original.name)
    return f"{folder.name}/{original.name}"


def recall(run_dir: Path) -> tuple[Recipe, str]:
    """Returns the recipe of an earlier run, and the hash of the bytes that it offered (empty where it did not get that far).

    Raises UsageError for a path that is not a run directory, or for one whose template is gone."""
    try:
        document = json.loads((run_dir / _PLAN).read_text(encoding="utf-8"))
        scenario = scenario_of(document["document"], run_dir)
        paths = [run_dir / document[name] if document[name] else None for name in (_INPUT, _LOOKUP)]
        recipe = Recipe(
            document["scenario"], scenario, document["seed"], document["records"], paths[0], load(document["faults"]), paths[1]
        )
    except OSError as error:
        message = f"{run_dir} is no run directory: {_PLAN}: {error.strerror}"
        raise UsageError(message) from error
    except (ValueError, KeyError, TypeError) as error:
        message = f"{run_dir / _PLAN} cannot be read: {error}"
        raise UsageError(message) from error
    if not scenario.stack.template.is_file():
        message = f"the template of that run is no longer there: {scenario.stack.template}"
        raise UsageError(message)
    return recipe, _offered(run_dir)


def _offered(run_dir: Path) -> str:
    try:
        return str(json.loads((run_dir / _RESULT).read_text(encoding="utf-8")).get("payload_sha256", ""))
    except (OSError, ValueError, AttributeError):
        return ""
