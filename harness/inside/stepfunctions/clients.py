"""The clients of state machines, one for each role, service and region, until the role's account is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.inside import forgotten

if TYPE_CHECKING:
    from collections.abc import Callable

_of_role: dict[tuple[str, str, str], Any] = {}


def client_of(role_arn: str, service: str, region: str, make: Callable[[], Any]) -> Any:
    """Returns the client of a role, which is made where there is none yet."""
    key = (role_arn, service, region)
    client = _of_role.get(key)
    if client is None:
        client = _of_role[key] = make()
    return client


@forgotten.with_account
def forget(account: str) -> None:
    for key in [key for key in list(_of_role) if key[0].split(":")[4:5] == [account]]:
        _of_role.pop(key, None)
