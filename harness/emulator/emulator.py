"""What every kind of emulator offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Description:
    """What result.json says of the emulator. `python_runtime` is the Lambda runtime identifier that it runs, and with `is_ours` every function in Python runs on it."""

    kind: str
    name: str
    version: str
    endpoint: str
    python_runtime: str
    is_ours: bool = True

    @property
    def replaces_python(self) -> str | None:
        """Returns the runtime that functions in any Python run on; None where each runs on the one that it names."""
        return self.python_runtime if self.is_ours else None


class Emulator(Protocol):
    """A LocalStack to deploy to; `stays` where it goes on after the run. `prepare` does what takes long and is done once, `start` returns when it answers, `stop` leaves
    nothing behind."""

    @property
    def stays(self) -> bool: ...

    def prepare(self) -> Iterator[str]:
        """Yields what it is doing, in words."""
        ...

    def start(self) -> Description:
        """Raises UnknownVerdictError where it does not come up."""
        ...

    def stop(self) -> None: ...

    def check(self) -> None:
        """Raises EmulatorDiedError, with the reason, where it no longer runs."""
        ...


class Detachable(Emulator, Protocol):
    """An emulator that can outlive its starter."""

    def let_go(self) -> dict[str, Any]:
        """Detaches the emulator: it keeps running after this process ends. Returns what `stop_detached` needs to find it."""
        ...
