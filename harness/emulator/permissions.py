"""What AWS would have denied in an emulator (harness/inside/iam/enforcement.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.emulator.plugin import ask

if TYPE_CHECKING:
    from collections.abc import Mapping

Mode = Literal["off", "report", "enforce"]


@dataclass(frozen=True, slots=True)
class Denied:
    """`who` made `calls` calls that need `action` on `resource`, and `why` says which policies do not allow it."""

    who: str
    action: str
    resource: str
    why: str
    calls: int

    def __str__(self) -> str:
        calls = f"{self.calls:,} calls" if self.calls != 1 else "once"
        return f"{self.who}: {self.action} on {self.resource} ({calls}): {self.why}"


class PermissionsClient:
    """A client for one account."""

    def __init__(self, endpoint: str, account: str) -> None:
        self._url = f"{endpoint}/_pipeproof/permissions"
        self._account = account

    def begin(self, mode: Mode) -> None:
        """Begins to note what AWS would deny, and to deny it where the mode is `enforce`. Raises UnknownVerdictError where that cannot be."""
        self._request("PUT", {"mode": mode})

    def denied(self) -> tuple[Denied, ...]:
        """Returns what has been denied, or would have been, since it began."""
        return tuple(Denied(**one) for one in self._request("GET", {})["denied"])

    def _request(self, method: str, query: Mapping[str, str]) -> dict[str, Any]:
        return ask(method, self._url, {"account": self._account, **query}, "denied")
