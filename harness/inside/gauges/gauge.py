"""What every gauge offers, and the counter that most of them use."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Level:
    """What a gauge shows: `in_flight` and `entries` go into the answer of /_pipeproof/activity; `busy` says that something is under way."""

    busy: bool
    in_flight: Mapping[str, int] = field(default_factory=dict)
    entries: Mapping[str, Any] = field(default_factory=dict)


class Gauge(Protocol):
    """One file of this package, as the activity route uses it."""

    def __call__(self, account: str | None) -> Level:
        """Returns the level for an AWS account; None stands for all accounts."""
        ...


class Counted:
    """How many things of one kind are under way, by account ("" where the account is not known)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, account: str | None) -> int:
        """Returns those of the account and those without one; None stands for all."""
        return self._counts.total() if account is None else self._counts[account] + self._counts[""]

    def enter(self, account: str = "") -> None:
        """Counts one more."""
        with self._lock:
            self._counts[account] += 1

    def leave(self, account: str = "") -> None:
        """Counts one less."""
        with self._lock:
            self._counts[account] -= 1

    @contextmanager
    def one(self, account: str) -> Iterator[None]:
        """Counts one for as long as the block runs."""
        self.enter(account)
        try:
            yield
        finally:
            self.leave(account)


def loaded(module: str) -> Any:
    """Returns one of our modules if it is loaded, else None: a service that was never used has nothing under way."""
    return sys.modules.get(module)
