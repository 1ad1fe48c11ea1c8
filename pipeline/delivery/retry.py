"""Batches whose answer may say that a part of them failed: the failed part is sent again, with backoff."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")

ATTEMPTS = 5
FIRST_DELAY_S = 0.05


def until_done(
    items: Sequence[Item],
    send: Callable[[Sequence[Item]], list[Item]],
    *,
    attempts: int = ATTEMPTS,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Item]:
    """Calls `send` with what is left until nothing is; returns what is left after the last attempt.

    `send` returns the items that were not written, or not read. An exception of it ends the attempts: the SDK has then retried by itself, the
    function's time runs, and the caller must find another place for what is left."""
    left = list(items)
    for attempt in range(attempts):
        if not left:
            break
        if attempt:
            sleep(FIRST_DELAY_S * 2 ** (attempt - 1))
        try:
            left = send(left)
        except Exception as error:  # noqa: BLE001 - every refusal of the service means the same here: not done
            print(f"batch of {len(left)} items failed, attempt {attempt + 1}: {error}")  # noqa: T201 - the function's log
            break
    return left
