"""The error payloads that the Lambda service itself answers with, word for word.

Source: https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html and the responses of the service.
"""

from __future__ import annotations

import json
import signal

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Limit of a synchronous invocation's request and response."""

# Lambda counts some overhead in: its own message names this number.
_MAX_RESPONSE_BYTES = 6_291_556


def error(error_type: str, message: str) -> bytes:
    """Returns an error payload: a JSON object with errorType and errorMessage."""
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def timed_out(request_id: str, timeout_s: float) -> bytes:
    """Returns the error of a function that ran longer than its time-out (seconds)."""
    return error("Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds")


def exited(request_id: str, exit_status: int) -> bytes:
    """Returns the error of a runtime whose process ended. `exit_status` is that of subprocess: negative for a signal.

    A function that exceeds its memory size is killed, and reads so too: `signal: killed`."""
    if exit_status < 0:
        name = "killed" if -exit_status == signal.SIGKILL else signal.strsignal(-exit_status) or str(-exit_status)
        reason = f"Runtime exited with error: signal: {name.lower()}"
    elif exit_status:
        reason = f"Runtime exited with error: exit status {exit_status}"
    else:
        reason = "Runtime exited without providing a reason"
    return error("Runtime.ExitError", f"RequestId: {request_id} Error: {reason}")


def injected(request_id: str, fault: str) -> bytes:
    """Returns an error of the function that the fault plan ordered."""
    return error("InjectedError", f"RequestId: {request_id} Error: fault {fault} of the plan")


def response_too_large(size_bytes: int) -> bytes:
    """Returns the error of a function whose response exceeds the limit."""
    return error(
        "Function.ResponseSizeTooLarge",
        f"Response payload size ({size_bytes} bytes) exceeded maximum allowed payload size ({_MAX_RESPONSE_BYTES} bytes).",
    )
