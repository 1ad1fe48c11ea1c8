"""Asks pipeproof's plugin in an emulator: the routes below /_pipeproof/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pyarrow as pa
import urllib3

from harness.emulator import tokens
from harness.errors import UnknownVerdictError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ONE_REQUEST = {"Connection": "close"}
"""A connection that is kept for the next request ends some time after the last one: the next request may come just then, and fail."""
_TIMEOUT_S = 60
_PATH = "/_pipeproof/journal"
_BATCHES, _WRITES = "/_pipeproof/batches", "/_pipeproof/writes"


def ask(method: str, url: str, query: Mapping[str, str], key: str, body: Any = None) -> dict[str, Any]:
    """Returns the JSON object that the route answers, which has `key`; `body` is sent as JSON.

    Raises UnknownVerdictError with what the route says, or where there is none."""
    headers = {**tokens.headers(url), **ONE_REQUEST}
    try:
        answer = urllib3.request(method, f"{url}?{urlencode(query)}", json=body, headers=headers, retries=False, timeout=_TIMEOUT_S)
        document = answer.json()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise UnknownVerdictError(f"the endpoint does not answer {url} as pipeproof's plugin does: {error}") from error
    if answer.status != 200:
        raise UnknownVerdictError(str(document.get("error", answer.status)) if isinstance(document, dict) else str(answer.status))
    if not isinstance(document, dict) or key not in document:
        raise UnknownVerdictError(f"the endpoint does not answer {url} as pipeproof's plugin does")
    return document


def begin_journal(endpoint: str, account: str) -> None:
    """Begins to note what invocations and calls carry (harness/inside/journal.py). Raises UnknownVerdictError where that cannot be."""
    ask("PUT", f"{endpoint}{_PATH}", {"account": account}, "size")


def end_journal(endpoint: str, account: str, into: Path) -> None:
    """Writes the journal into a file, compressed by zstd, and ends it. Raises UnknownVerdictError where it cannot be had."""
    url, offset = f"{endpoint}{_PATH}", 0
    with pa.CompressedOutputStream(str(into), "zstd") as file:
        while True:
            try:
                query = urlencode({"account": account, "offset": offset})
                headers = {**tokens.headers(url), **ONE_REQUEST}
                answer = urllib3.request("GET", f"{url}?{query}", headers=headers, retries=False, timeout=_TIMEOUT_S)
            except urllib3.exceptions.HTTPError as error:
                raise UnknownVerdictError(f"the journal cannot be read from {url}: {error}") from error
            if answer.status != 200:
                raise UnknownVerdictError(f"the journal cannot be read from {url}: it answers {answer.status}")
            if not answer.data:
                break
            file.write(answer.data)
            offset += len(answer.data)
    ask("DELETE", url, {"account": account}, "size")


def put_code(endpoint: str, account: str, function: str, content: bytes) -> None:
    """Puts the files of a zip over the code of a function (harness/inside/lambda_/saved_code.py). Raises UnknownVerdictError where that cannot be."""
    url = f"{endpoint}/_pipeproof/code?{urlencode({'account': account, 'function': function})}"
    headers = {**tokens.headers(url), **ONE_REQUEST, "Content-Type": "application/zip"}
    try:
        answer = urllib3.request("PUT", url, body=content, headers=headers, retries=False, timeout=_TIMEOUT_S)
    except urllib3.exceptions.HTTPError as error:
        raise UnknownVerdictError(f"the code of {function} cannot be put: {error}") from error
    if answer.status != 200:
        raise UnknownVerdictError(f"the code of {function} cannot be put: {answer.data[:500].decode(errors='replace')}")


def begin_order(endpoint: str, account: str, batches: Sequence[Mapping[str, Any]], writes: Sequence[Mapping[str, Any]]) -> None:
    """Lets streams repeat these batches (harness/inside/kinesis/script.py), and functions the order of these writes (harness/inside/writes.py).
    Raises UnknownVerdictError where that cannot be."""
    ask("PUT", f"{endpoint}{_BATCHES}", {"account": account}, "kept", list(batches))
    ask("PUT", f"{endpoint}{_WRITES}", {"account": account}, "kept", list(writes))


def not_kept(endpoint: str, account: str) -> tuple[str, ...]:
    """Returns the shards, each with its stream, and the objects whose order was another one. Raises UnknownVerdictError where nothing tells."""
    return tuple(
        place for path in (_BATCHES, _WRITES) for place in ask("GET", f"{endpoint}{path}", {"account": account}, "kept")["given_up"]
    )
