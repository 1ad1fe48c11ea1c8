"""What every way to have a LocalStack offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Description:
    """What result.json says of the emulator. `python_runtime` is the Lambda runtime identifier that it runs."""

    kind: str
    name: str
    version: str
    endpoint: str
    python_runtime: str


class Emulator(Protocol):
    """A LocalStack to deploy to. `start` returns when it answers; `stop` leaves nothing behind."""

    def start(self) -> Description:
        """Raises UnknownVerdictError where it does not come up."""
        ...

    def stop(self) -> None: ...

    def check(self) -> None:
        """Raises EmulatorDiedError, with the reason, where it no longer runs."""
        ...
