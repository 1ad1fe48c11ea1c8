"""What is kept by account beside LocalStack's stores: whoever keeps something says how it is forgotten with the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Forget = Callable[[str], None]

_all: list[Forget] = []


def with_account(forget: Forget) -> Forget:
    """Has a function called with each account that is forgotten."""
    _all.append(forget)
    return forget


def forget(account: str) -> None:
    """Forgets an account everywhere."""
    for one in _all:
        one(account)
