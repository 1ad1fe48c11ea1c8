"""POST to an HTTP endpoint, one record per request, a few at a time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import urllib3

from harness.accounting.record import Answer, Record, Status
from harness.load.senders.sender import now_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

ATTEMPTS = 8
FIRST_DELAY_S, LAST_DELAY_S = 0.1, 5.0
# The service says that it did not take the record, and that it may later.
_TRY_AGAIN = frozenset({429, 503})
_TIMEOUT_S = 35


class ApiSender:
    """2xx is an ack, 4xx a rejection; 429 and 503 are tried again; every other answer, or none, is indeterminate."""

    def __init__(self, url: str, concurrency: int = 4) -> None:
        self._url = url
        self.batch_size = concurrency * 8
        self._http = urllib3.PoolManager(maxsize=concurrency, retries=False, timeout=_TIMEOUT_S)
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="sender-api")

    def send(self, records: Sequence[Record]) -> list[Answer]:
        """See Sender."""
        return list(self._pool.map(self._post, records))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._http.clear()

    def _post(self, record: Record) -> Answer:
        offered_at_ms = now_ms()
        delay_s, detail = FIRST_DELAY_S, ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(delay_s)
                delay_s = min(delay_s * 2, LAST_DELAY_S)
            try:
                answer = self._http.request("POST", self._url, body=record.payload, headers={"Content-Type": "application/json"})
            except urllib3.exceptions.NewConnectionError as error:
                # Nobody listened: nothing was taken.
                detail = f"no connection: {error}"
                continue
            except urllib3.exceptions.HTTPError as error:
                return Answer(Status.INDETERMINATE, offered_at_ms, detail=f"{type(error).__name__}: {error}")
            detail = f"HTTP {answer.status}: {answer.data[:200].decode(errors='replace')}"
            if 200 <= answer.status < 300:
                return Answer(Status.ACKED, offered_at_ms)
            if answer.status in _TRY_AGAIN:
                retry_after = answer.headers.get("Retry-After", "")
                delay_s = min(float(retry_after), LAST_DELAY_S) if retry_after.isdecimal() else delay_s
                continue
            status = Status.REJECTED if 400 <= answer.status < 500 else Status.INDETERMINATE
            return Answer(status, offered_at_ms, detail=detail)
        return Answer(Status.REJECTED, offered_at_ms, detail=f"after {ATTEMPTS} attempts: {detail}")
