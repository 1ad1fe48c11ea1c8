"""What every kind of emulator offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from harness.emulator.clients import DEFAULT_REGION, Clients

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an emulator with pipeproof inside can run: functions in any Python on `python`, those in any Node.js on `node` (None where it has none), and
    resources of these CloudFormation types."""

    python: str
    node: str | None
    resource_types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Description:
    """Which emulator it is. `python_runtime` is the Lambda runtime identifier that it runs. A LocalStack without pipeproof inside does not report its abilities.

    `aws` says that it is AWS, or is taken for it: then it has none of the routes that an emulator answers."""

    kind: str
    name: str
    version: str
    endpoint: str
    python_runtime: str
    abilities: Abilities | None = None
    aws: bool = False
    region: str = DEFAULT_REGION

    def clients(self, account: str) -> Clients:
        """Returns the clients of an account there."""
        return Clients(self.endpoint, account, self.region, self.aws)


class Emulator(Protocol):
    """A LocalStack to deploy to; `stays` where it goes on after the run. `prepare` does what takes long and is done once, `start` returns when it answers, `release` begins to stop
    what is needed no more, `stop` leaves nothing behind."""

    @property
    def stays(self) -> bool: ...

    def prepare(self, *, node: bool = False) -> Iterator[str]:
        """Yields what it is doing, in words. `node` says that functions in Node.js will be deployed."""
        ...

    def start(self) -> Description:
        """Raises UnknownVerdictError where it does not come up."""
        ...

    def release(self) -> None:
        """Begins to stop it, and may not wait for the end of that: `stop` does."""
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
