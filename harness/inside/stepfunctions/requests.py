"""What Step Functions refuses, and the pages of a history.

Source: https://docs.aws.amazon.com/step-functions/latest/apireference/
"""

from __future__ import annotations

import functools
import json
import math
from typing import Any

from localstack.aws.api import CommonServiceException
from localstack.aws.api.stepfunctions import InvalidDefinition, InvalidOutput, InvalidToken
from localstack.services.stepfunctions.asl.static_analyser.test_state.test_state_analyser import TestStateStaticAnalyser

from harness.inside.stepfunctions.validation import problems

_MAX_INPUT_BYTES = 262_144
_PAGE, _MOST = 100, 1000
_MOST_DIAGNOSTICS = 100


def with_json(send_task_success: Any) -> Any:
    """Returns a SendTaskSuccess that raises InvalidOutput where the output is not JSON."""

    @functools.wraps(send_task_success)
    def sent(self: Any, context: Any, task_token: str, output: str, **kwargs: Any) -> Any:
        try:
            json.loads(output)
        except ValueError as error:
            raise InvalidOutput(f"Invalid Output: {error}") from error
        return send_task_success(self, context, task_token, output, **kwargs)

    return sent


def within_bounds(start: Any) -> Any:
    """Returns StartExecution that raises CommonServiceException (ValidationException) for too large an input."""

    @functools.wraps(start)
    def started(self: Any, context: Any, state_machine_arn: str, *args: Any, **kwargs: Any) -> Any:
        text = kwargs.get("input") or (args[1] if len(args) > 1 else None) or ""
        if len(text.encode()) > _MAX_INPUT_BYTES:
            raise CommonServiceException(
                "ValidationException",
                "1 validation error detected: Value at 'input' failed to satisfy constraint: "
                f"Member must have length less than or equal to {_MAX_INPUT_BYTES}",
                sender_fault=True,
            )
        return start(self, context, state_machine_arn, *args, **kwargs)

    return started


def billed(start: Any) -> Any:
    """Returns StartSyncExecution whose answer has what AWS bills: time by 100 ms, memory by 64 MB. The memory is the smallest, whatever the execution holds.

    Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_BillingDetails.html
    """

    @functools.wraps(start)
    def started(*args: Any, **kwargs: Any) -> Any:
        answer = start(*args, **kwargs)
        took_ms = (answer["stopDate"] - answer["startDate"]).total_seconds() * 1000
        answer["billingDetails"] = {
            "billedDurationInMilliseconds": max(math.ceil(took_ms / 100), 1) * 100,
            "billedMemoryUsedInMB": 64,
        }
        return answer

    return started


def by_pages(history: Any) -> Any:
    """Returns GetExecutionHistory with pages of maxResults; raises InvalidToken for a token that is none."""

    @functools.wraps(history)
    def paged(
        self: Any, context: Any, execution_arn: str, max_results: Any = None, *args: Any, next_token: Any = None, **kwargs: Any
    ) -> Any:
        answer = history(self, context, execution_arn, max_results, *args, **kwargs)
        if next_token is not None and not str(next_token).isdecimal():
            raise InvalidToken("Invalid Token: 'Invalid token'")
        events, begin = answer["events"], int(next_token or 0)
        end = begin + min(max_results or _PAGE, _MOST)
        answer["events"] = events[begin:end]
        if end < len(events):
            answer["nextToken"] = str(end)
        return answer

    return paged


def validated(validate: Any) -> Any:
    """Returns the check of a definition that raises InvalidDefinition for what LocalStack's grammar lets through too."""

    def checked(definition: str, static_analysers: list[Any]) -> None:
        validate(definition, static_analysers)
        # TestState has a state alone.
        is_machine = not any(isinstance(analyser, TestStateStaticAnalyser) for analyser in static_analysers)
        if is_machine and (found := problems(definition)):
            raise InvalidDefinition(f"Invalid State Machine Definition: '{', '.join(map(str, found))}'")

    return checked


def with_diagnostics(validate: Any) -> Any:
    """Returns ValidateStateMachineDefinition with one diagnostic per problem, as many as are asked for."""

    @functools.wraps(validate)
    def validated(self: Any, context: Any, request: Any, **kwargs: Any) -> Any:
        answer = validate(self, context, request, **kwargs)
        if found := [one.diagnostic() for one in problems(request["definition"])]:
            most = request.get("maxResults") or _MOST_DIAGNOSTICS
            answer |= {"diagnostics": found[:most], "truncated": len(found) > most}
        return answer

    return validated
