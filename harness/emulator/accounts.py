"""What an emulator keeps of an AWS account (harness/inside/accounts.py)."""

from __future__ import annotations

from harness.emulator.plugin import ask
from harness.errors import UnknownVerdictError


def is_unused(endpoint: str, account: str) -> bool:
    """Returns whether nothing was done in the account so far; False where the endpoint does not tell."""
    try:
        return not ask("GET", f"{endpoint}/_pipeproof/accounts", {"account": account}, "used")["used"]
    except UnknownVerdictError:
        return False


def forget(endpoint: str, account: str) -> None:
    """Lets the emulator forget all that it keeps of the account. Raises UnknownVerdictError where it cannot."""
    ask("DELETE", f"{endpoint}/_pipeproof/accounts", {"account": account}, "used")
