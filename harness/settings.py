"""Every PIPEPROOF_* environment variable that a user may set: its type, its default and what it is for.

docs/settings.md has the same table, and a test compares the two.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from harness.errors import UsageError

PREFIX = "PIPEPROOF_"


def _size(text: str) -> str:
    if re.fullmatch(r"\d+[bkmg]?", text.lower()) is None:
        raise ValueError("expected a size such as 4g or 1500m")
    return text


class Settings(BaseModel):
    """The settings of this process. An empty variable counts as one that is not set."""

    model_config = ConfigDict(frozen=True)

    emulator: str = Field(
        default="auto", description="the default of `--emulator`: auto, embedded, container, or the URL of an endpoint"
    )
    container_memory: Annotated[str, AfterValidator(_size)] = Field(default="4g", description="the memory of a container")
    container_cpus: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        default=4, description="how many processors a container uses at most, of those that there are"
    )
    tmpdir: Path | None = Field(
        default=None,
        description="where embedded emulators work (default: the system's temporary directory); every start sweeps leftovers there",
    )
    cache: Path | None = Field(
        default=None, description="where built packages and byte code are kept (default: `~/.cache/pipeproof`)"
    )
    token: str | None = Field(default=None, description="the token of an emulator that was started by hand (docs/emulators.md)")
    kinesis_throughput: Literal["off", "enforce"] = Field(
        default="off", description="`enforce` keeps Kinesis's limit of 1,000 records and 1 MiB per second and shard"
    )
    lambda_environments: PositiveInt | None = Field(
        default=None, description="how many execution environments of one function run at once (default: two for each core)"
    )
    lambda_queue_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=900, description="the seconds that an invocation waits for an execution environment"
    )


def settings() -> Settings:
    """Returns the settings as the environment has them now. Raises UsageError that names the variable and what it expects."""
    # Reading them takes a millisecond, and every invocation of a function asks: they are read again when a variable has changed.
    return _read(tuple((name, text) for name in Settings.model_fields if (text := os.environ.get(f"{PREFIX}{name.upper()}"))))


@functools.lru_cache(maxsize=8)
def _read(variables: tuple[tuple[str, str], ...]) -> Settings:
    try:
        return Settings.model_validate(dict(variables))
    except ValidationError as error:
        lines = [
            f"{PREFIX}{str(detail['loc'][0]).upper()}={detail['input']}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors(include_url=False)
        ]
        raise UsageError("\n".join(lines)) from error


def table() -> str:
    """Returns the settings as a table in Markdown."""
    rows = ["| environment variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"
