"""What the clock would start in an emulator: asks for it, and starts it now (harness/inside/schedules.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from harness.emulator.plugin import ask

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Schedule:
    """A rule of EventBridge or a schedule of EventBridge Scheduler; `once` says that its expression names a single time."""

    arn: str
    name: str
    expression: str
    once: bool


class Schedules(Protocol):
    """Whatever can tell schedules and fire them."""

    def schedules(self) -> tuple[list[Schedule], int]: ...

    def fire(self, arn: str) -> None: ...


class SchedulesClient:
    """A client for one account of an emulator."""

    def __init__(self, endpoint: str, account: str) -> None:
        self._url = f"{endpoint}/_pipeproof/schedules"
        self._account = account

    def schedules(self) -> tuple[list[Schedule], int]:
        """Returns the enabled schedules, and how many requests may have changed what is stored so far.

        Raises UnknownVerdictError where the endpoint cannot tell."""
        document = self._request("GET", {})
        return [Schedule(**one) for one in document["schedules"]], int(document["changes"])

    def fire(self, arn: str) -> None:
        """Starts a schedule's targets now. Raises UnknownVerdictError, with the target's answer, where one cannot be reached."""
        self._request("POST", {"arn": arn})

    def _request(self, method: str, query: Mapping[str, str]) -> dict[str, Any]:
        return ask(method, self._url, {"account": self._account, **query}, "schedules")
