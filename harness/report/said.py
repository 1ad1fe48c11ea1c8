"""What a function logged about a record."""

from __future__ import annotations

import json
import re

_ERROR = re.compile(r"error|exception|fail|refused|denied", re.IGNORECASE)
# The frames of a Python traceback, which come before what was raised: where a line is, and the line.
_FRAME = re.compile(r'^\s+(File ".*", line \d+|\S)|^Traceback ')
# What Lambda itself writes around what a function logs, and metrics in the embedded metric format.
_NOT_SAID = ("START RequestId", "END RequestId", "REPORT RequestId", '{"_aws":')


def said(log: str, record_id: str) -> list[str]:
    """Returns the lines of a log that matter for a record: those of errors where there are any, and those that name the record where any do."""
    logged = [line for line in log.splitlines() if line.strip() and not line.startswith(_NOT_SAID)]
    # A function logs about all records of its invocation.
    logged = [line for line in logged if record_id in line] or logged
    return errors_in(logged) or logged


def errors_in(lines: list[str]) -> list[str]:
    """Returns the lines that tell of an error; of a traceback, where there is another one, only what was raised."""
    found = [line for line in lines if _ERROR.search(line)]
    return [line for line in found if not _FRAME.match(line)] or found


def brief(line: str) -> str:
    """Returns a line of a log in few words: of one in JSON its message, and the last line of its exception, or what Lambda says of an error. Other lines stay as they are."""
    try:
        found = json.loads(line)
    except ValueError:
        return line
    if not isinstance(found, dict) or not (found.get("message") or found.get("errorType")):
        return line
    if not found.get("message"):
        return f"{found['errorType']}: {found.get('errorMessage', '')}"
    raised = str(found.get("exception") or found.get("errorMessage") or "").rstrip().rpartition("\n")[2]
    return f"{found['message']}: {raised}" if raised else str(found["message"])


def shortened(text: str, most: int) -> str:
    """Returns the text, cut where it is too long, which shows."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def end_of(log: str, most: int) -> str:
    """Returns the last lines of a log, as many as `most` characters hold; where that is not all, it says so."""
    if len(log) <= most:
        return log
    end = log[len(log) - most :]
    kept = end.partition("\n")[2] or end
    return f"… {len(log) - len(kept):,} characters before\n{kept}"
