"""Asks pipeproof's plugin in an emulator: the routes below /_pipeproof/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3

from harness.errors import UnknownVerdictError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT_S = 60


def ask(method: str, url: str, query: Mapping[str, str], key: str) -> dict[str, Any]:
    """Returns the JSON object that the route answers, which has `key`. Raises UnknownVerdictError with what the route says, or where there is none."""
    try:
        answer = urllib3.request(method, f"{url}?{urlencode(query)}", retries=False, timeout=_TIMEOUT_S)
        document = answer.json()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise UnknownVerdictError(f"the endpoint does not answer {url} as pipeproof's plugin does: {error}") from error
    if answer.status != 200:
        raise UnknownVerdictError(str(document.get("error", answer.status)) if isinstance(document, dict) else str(answer.status))
    if not isinstance(document, dict) or key not in document:
        raise UnknownVerdictError(f"the endpoint does not answer {url} as pipeproof's plugin does")
    return document
