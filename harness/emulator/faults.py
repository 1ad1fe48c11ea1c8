"""Arms a plan inside an emulator, and asks it what fired."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import urllib3

from harness.emulator import tokens
from harness.emulator.plugin import ONE_REQUEST
from harness.errors import UnknownVerdictError
from harness.faults.plan import dump

if TYPE_CHECKING:
    from harness.faults.plan import Plan

_PATH = "/_pipeproof/faults"


class FaultClient:
    """A client of the fault gateway in an emulator, for one account and one run.

    Where another run arms faults in the account, this one gets an error."""

    def __init__(self, endpoint: str, account: str) -> None:
        self._url = f"{endpoint}{_PATH}?account={account}&run={uuid.uuid4().hex}"

    def arm(self, plan: Plan) -> None:
        """Arms a resolved plan: physical names. Raises UnknownVerdictError where the emulator has no fault gateway."""
        self._request("PUT", json.dumps(dump(plan)).encode())

    def disarm(self) -> list[dict[str, Any]]:
        """Ends all faults, and returns their log: per fault `id`, `seen` (events of its address) and `firings`."""
        return self._request("DELETE")

    def log(self) -> list[dict[str, Any]]:
        """Returns the log of the armed faults, as `disarm` does."""
        return self._request("GET")

    def _request(self, method: str, body: bytes | None = None) -> list[dict[str, Any]]:
        headers = {**tokens.headers(self._url), **ONE_REQUEST, **({"Content-Type": "application/json"} if body else {})}
        try:
            answer = urllib3.request(method, self._url, body=body, headers=headers, retries=False, timeout=30)
            document = answer.json()
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            message = f"the emulator's fault gateway does not answer ({self._url}: {error}): faults need pipeproof's plugin in it"
            raise UnknownVerdictError(message) from error
        if answer.status != 200:
            message = f"the emulator's fault gateway: {document.get('error', answer.status)}"
            raise UnknownVerdictError(message)
        faults: list[dict[str, Any]] = document["faults"]
        return faults
