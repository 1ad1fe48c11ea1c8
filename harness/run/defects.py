"""Planted defects: small wrong variants of a pipeline, which lose or spoil records, and which the harness must catch.

A defect is a file `defect.yaml` in a folder with the defect's name: edits of the files of a scenario's template, and what they must lead to.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.accounting.verdict import ANOMALIES
from harness.documents import MOST_ERRORS, read_yaml
from harness.errors import UsageError
from harness.parts.part import NotEmpty, one_of
from harness.shipped import data
from harness.stack.template import root_of

BUILT_IN = data("fixtures") / "defects"
_NOT_COPIED = shutil.ignore_patterns("__pycache__", ".git", ".tox", ".venv", "runs", "*.pyc")


def _inside(file: str) -> str:
    if Path(file).is_absolute():
        raise ValueError("expected a path relative to the template's folder")
    return file


class Edit(BaseModel):
    """Replaces the one place where `old` stands in `file` (relative to the template's folder)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Annotated[str, AfterValidator(_inside)]
    old: Annotated[str, Field(min_length=1)]
    new: str


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    wrong: str
    scenario: str
    anomaly: Annotated[str, one_of(ANOMALIES)] | None = None
    check: str | None = None
    edits: Annotated[tuple[Edit, ...], NotEmpty]

    @model_validator(mode="after")
    def _leads_to_one_thing(self) -> Self:
        if (self.anomaly is None) == (self.check is None):
            raise ValueError("expected either anomaly or check")
        return self


@dataclass(frozen=True, slots=True)
class Defect:
    """`wrong` says in one line what is wrong; `scenario` must catch it, with `anomaly` or by its check `check`. `folder` has it, beside others."""

    name: str
    wrong: str
    scenario: str
    anomaly: str | None
    edits: tuple[Edit, ...]
    check: str | None = None
    folder: Path = BUILT_IN

    @property
    def leads_to(self) -> str:
        """Returns the anomaly or the check that must show it."""
        return self.anomaly or f"check {self.check}"


def load_defects(directory: Path) -> list[Defect]:
    """Returns all defects below the directory, by name. Raises UsageError that names the file, and the key, of one that cannot be read."""
    defects = []
    for path in sorted(directory.glob("*/defect.yaml")):
        try:
            document = _Document.model_validate(read_yaml(path, "defect")[1])
        except ValidationError as error:
            details = error.errors(include_url=False)
            lines = [
                f"{path}: {'.'.join(map(str, detail['loc'])) or 'the file'}: {detail['msg']}" for detail in details[:MOST_ERRORS]
            ]
            lines += [f"and {len(details) - MOST_ERRORS:,} more"] if len(details) > MOST_ERRORS else []
            raise UsageError("\n".join(lines)) from error
        of = document
        defects.append(Defect(path.parent.name, of.wrong, of.scenario, of.anomaly, of.edits, of.check, directory))
    return defects


def load_edits(path: Path) -> tuple[Edit, ...]:
    """Returns the edits of a file that has nothing else."""
    return tuple(Edit.model_validate(edit) for edit in read_yaml(path, "edits")[1]["edits"])


def plant(defect: Defect, template: Path, into: Path) -> Path:
    """Copies the template with all that it needs, edits the copy, and returns the copied template.

    Raises UsageError where an edit does not find its place exactly once: the pipeline has changed, and the defect must follow."""
    root = root_of(template)
    shutil.copytree(root, into, ignore=_NOT_COPIED)
    planted = into / template.relative_to(root)
    for edit in defect.edits:
        file = (planted.parent / edit.file).resolve()
        if not file.is_relative_to(into.resolve()):
            raise UsageError(
                f"defect {defect.name}: {edit.file} lies outside of {root}, which is what the template and its functions need"
            )
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"defect {defect.name}: {edit.file}: {error}") from error
        if text.count(edit.old) != 1:
            raise UsageError(
                f"defect {defect.name}: {edit.file}: the text to replace stands there {text.count(edit.old)} times, not once:\n{edit.old}"
            )
        file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    return planted
