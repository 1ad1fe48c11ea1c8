"""What a function of a stack that is up has logged: what `pipeproof logs` shows."""

from __future__ import annotations

import contextlib
import difflib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from harness.errors import UnknownVerdictError, UsageError
from harness.stack.resources import made_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.emulator.clients import Clients

_POLL_S = 0.5
_FUNCTION = "AWS::Lambda::Function"


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise UnknownVerdictError(f"the logs cannot be read: {error}") from error


def log_group(clients: Clients, function: str) -> str:
    """Returns the log group of a function, which is named by its logical id in a stack or by its own name. Raises UsageError, with the near names, for an unknown one."""
    with _answering():
        known = _functions(clients)
    if function not in known:
        near = difflib.get_close_matches(function, known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known)) or 'none'}"
        raise UsageError(f"no function is called {function!r}; {hint}")
    with _answering():
        found = clients("lambda").get_function_configuration(FunctionName=known[function])
    return str((found.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{known[function]}")


def _functions(clients: Clients) -> dict[str, str]:
    """Returns the names of functions by their names and by their logical ids."""
    pages = clients("lambda").get_paginator("list_functions").paginate()
    known = {one["FunctionName"]: one["FunctionName"] for page in pages for one in page["Functions"]}
    for resource in made_resources(clients):
        if resource.type == _FUNCTION:
            known.setdefault(resource.name, resource.made)
    return known


def lines(clients: Clients, group: str, since_s: float, text: str, check: Callable[[], None], *, follow: bool) -> Iterator[str]:
    """Yields the lines of a log group that have the text, each with its time, from `since_s` (seconds since the epoch) on. With `follow` it goes on with those that come.
    `check` raises where the emulator is gone."""
    told: set[str] = set()
    while True:
        check()
        with _answering():
            events = _events(clients("logs"), group, since_s)
        for event in events:
            if event["eventId"] not in told and text in event["message"]:
                yield (
                    f"{datetime.fromtimestamp(event['timestamp'] / 1000, UTC):%H:%M:%S.%f}"[:-3] + f"  {event['message'].rstrip()}"
                )
            told.add(event["eventId"])
        if not follow:
            return
        time.sleep(_POLL_S)


def _events(logs: Any, group: str, since_s: float) -> list[dict[str, Any]]:
    """Returns the events by their time; none where nothing was logged yet."""
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=int(since_s * 1000))
        found = [event for page in pages for event in page["events"]]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return []
        raise
    return sorted(found, key=lambda event: event["timestamp"])
