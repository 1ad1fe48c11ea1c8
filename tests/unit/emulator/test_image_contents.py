"""What the container's image holds of the harness."""

from __future__ import annotations

import ast
from pathlib import Path

from harness.emulator.image import _INSIDE

PACKAGE = Path(__file__).parents[3] / "harness"


def imported(file):
    """The modules of the harness that a file imports, at its top or within a function."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness"):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("harness."))


def test_the_image_holds_all_that_runs_inside_it():
    held = {path.relative_to(PACKAGE) for pattern in _INSIDE for path in PACKAGE.glob(pattern) if path.suffix == ".py"}
    missing = set()
    for path in held:
        for module in imported(PACKAGE / path):
            file = Path(*module.split(".")[1:]).with_suffix(".py") if "." in module else Path("__init__.py")
            if (PACKAGE / file).is_file() and file not in held:
                missing.add(f"{path} imports {module}")
    assert not missing
