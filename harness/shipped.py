"""What comes with the package beside its code: the sample's pipelines, scenarios and planted defects."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def data(name: str) -> Path:
    """Returns a folder that is shipped: at the root of the repository, or in the wheel below `harness/shipped_data`."""
    in_wheel = _PACKAGE / "shipped_data" / name
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / name
