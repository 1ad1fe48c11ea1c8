"""The named scenarios: files in ./scenarios, and those that come with the package."""

from __future__ import annotations

import difflib
from pathlib import Path

from harness.documents import read_yaml
from harness.errors import UsageError
from harness.shipped import data

BUILT_IN = data("scenarios")

_LONGEST = 200


def scenario_files() -> dict[str, Path]:
    """Returns the scenarios by name, sorted. A file in ./scenarios hides a built-in one of the same name."""
    found: dict[str, Path] = {}
    for directory in (BUILT_IN, Path("scenarios").resolve()):
        found |= {file.stem: file for file in directory.glob("*.yaml")}
    return dict(sorted(found.items()))


def find_scenario(name_or_path: str) -> tuple[str, Path]:
    """Returns name and file of a scenario. Raises UsageError, with the near names, for an unknown one."""
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"}:
        try:
            there, found = path.exists(), path.resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise UsageError(f"scenario file {name_or_path[:200]!r}: {error}") from None
        if not there:
            message = f"scenario file {path} does not exist"
            raise UsageError(message)
        return path.stem, found
    files = scenario_files()
    if name_or_path in files:
        return name_or_path, files[name_or_path]
    here = Path(f"{name_or_path[:_LONGEST]}.yaml")
    if here.is_file():
        raise UsageError(f"no scenario is called {name_or_path!r}; did you mean the file {here}?")
    near = difflib.get_close_matches(name_or_path, files, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "there is no near one."
    message = f"no scenario is called {name_or_path!r}; {hint} `pipeproof list` shows all, and a path to a .yaml file works too"
    raise UsageError(message)


def description(path: Path) -> str:
    """Returns the description in a scenario file, without checking the rest: listing all of them must be quick."""
    try:
        _, document = read_yaml(path, "scenario")
    except UsageError as error:
        return f"(cannot be read: {str(error).splitlines()[0]})"
    found = document.get("description") if isinstance(document, dict) else None
    return found if isinstance(found, str) else "(no scenario: it has no description)"
