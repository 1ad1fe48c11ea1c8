"""ClientRequestToken of TransactWriteItems: the same request again within ten minutes changes nothing.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import json
import time
from typing import Any

from localstack.aws.api.dynamodb import IdempotentParameterMismatchException

LIFE_S = 600
_seen: dict[tuple[str, str, str], tuple[float, str]] = {}


def is_repeated(account: str, region: str, request: Any) -> bool:
    """Returns whether a transaction of this token has succeeded. Raises IdempotentParameterMismatchException for another transaction of the
    same token."""
    token = request.get("ClientRequestToken")
    if not token:
        return False
    known = _seen.get((account, region, token))
    if known is None or time.monotonic() - known[0] > LIFE_S:
        return False
    if known[1] != _form(request):
        raise IdempotentParameterMismatchException("Request token was used with different parameters.")
    return True


def note(account: str, region: str, request: Any) -> None:
    """Remembers a transaction that has succeeded, and forgets the old ones."""
    token = request.get("ClientRequestToken")
    if not token:
        return
    now = time.monotonic()
    for key in [key for key, (at, _) in _seen.items() if now - at > LIFE_S]:
        del _seen[key]
    _seen[account, region, token] = (now, _form(request))


def _form(request: Any) -> str:
    return json.dumps(request.get("TransactItems"), sort_keys=True, default=repr)
