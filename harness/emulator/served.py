"""The paged APIs that an emulator serves, which pipelines fetch from (harness/inside/served.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from harness.emulator.plugin import ask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ServedApis(Protocol):
    """Whatever serves paged APIs to the pipeline of one account."""

    def make(self, name: str, made: Mapping[str, Any]) -> None:
        """Makes an API: {key, page_size, answers, version, older}, as harness/served.py reads it."""
        ...

    def add(self, name: str, records: Sequence[tuple[str, bool]]) -> None:
        """Adds records: each in Base64, and whether it is healthy."""
        ...

    def told(self, name: str, first: int = 0) -> dict[str, Any]:
        """Returns {records, served, met}: how many there are, when those from `first` on were answered, and how many requests met each other answer."""
        ...


class EmulatorsApis:
    """Those of an account in an emulator. Each method raises UnknownVerdictError where the endpoint has no such route."""

    def __init__(self, endpoint: str, account: str) -> None:
        self._url = f"{endpoint}/_pipeproof/served"
        self._account = account

    def make(self, name: str, made: Mapping[str, Any]) -> None:
        ask("PUT", self._url, self._query(name), "records", made)

    def add(self, name: str, records: Sequence[tuple[str, bool]]) -> None:
        ask("POST", self._url, self._query(name), "records", {"records": records})

    def told(self, name: str, first: int = 0) -> dict[str, Any]:
        return ask("GET", self._url, {**self._query(name), "first": str(first)}, "served")

    def _query(self, name: str) -> dict[str, str]:
        return {"account": self._account, "name": name}
