"""The named scenarios: files in ./scenarios, and those that come with the package."""

from __future__ import annotations

import difflib
from pathlib import Path

from harness.errors import UsageError

# Beside the packages, in the repository as in the wheel.
BUILT_IN = Path(__file__).parents[2] / "scenarios"


def scenario_files() -> dict[str, Path]:
    """Name -> file, sorted by name; one of the current directory hides a built-in one of the same name."""
    found: dict[str, Path] = {}
    for directory in (BUILT_IN, Path("scenarios").resolve()):
        found |= {file.stem: file for file in directory.glob("*.yaml")}
    return dict(sorted(found.items()))


def find_scenario(name_or_path: str) -> tuple[str, Path]:
    """Name and file of a scenario. Raises UsageError with the near names for one that is not there."""
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            message = f"scenario file {path} does not exist"
            raise UsageError(message)
        return path.stem, path.resolve()
    files = scenario_files()
    if name_or_path in files:
        return name_or_path, files[name_or_path]
    near = difflib.get_close_matches(name_or_path, files, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "there is no near one."
    message = f"no scenario is called {name_or_path!r}; {hint} `pipeproof list` shows all, and a path to a .yaml file works too"
    raise UsageError(message)
