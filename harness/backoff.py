"""The one way to try again: with a wait that doubles, up to a bound, for a number of attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenacity import AttemptManager

ATTEMPTS = 12
FIRST_S, LAST_S = 0.05, 2.0
"""Seconds of the first and of the longest wait."""


class TryAgainError(Exception):
    """The attempt failed in a way that may end. `wait_s` is what the service asked for, None where it did not say."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s


def attempts(number: int = ATTEMPTS, first_s: float = FIRST_S, last_s: float = LAST_S) -> Iterator[AttemptManager]:
    """Yields attempts until one ends without a TryAgainError; raises the last TryAgainError when `number` of them were made."""
    doubling = wait_exponential(multiplier=first_s, max=last_s)

    def wait(state: object) -> float:
        error = state.outcome.exception()  # type: ignore[attr-defined]
        asked = getattr(error, "wait_s", None)
        return min(asked, last_s) if asked is not None else doubling(state)  # type: ignore[arg-type]

    return iter(Retrying(stop=stop_after_attempt(number), wait=wait, retry=retry_if_exception_type(TryAgainError), reraise=True))
