"""Lambda: options of other sources, and names that are Lambda's own.

Sources: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html and …/dg/configuration-envvars.html
"""

from __future__ import annotations

from typing import Any

_OF_STREAMS = (
    "BisectBatchOnFunctionError", "DestinationConfig", "MaximumRecordAgeInSeconds", "MaximumRetryAttempts", "ParallelizationFactor",
    "StartingPosition", "StartingPositionTimestamp", "TumblingWindowInSeconds",
)  # fmt: skip
_MOST_FILTERS, _LEAST_AGE_S = 5, 60
_RESERVED = frozenset({
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
})  # fmt: skip


def _mapping(request: Any) -> tuple[str, str] | None:
    why = _of_any_source(request)
    arn = str(request.get("EventSourceArn") or "")
    if why is None and ":sqs:" in arn:
        why = _of_a_queue(request, arn)
    elif why is None and arn:
        why = _of_a_stream(request)
    return ("InvalidParameterValueException", why) if why else None


def _of_any_source(request: Any) -> str | None:
    filters = (request.get("FilterCriteria") or {}).get("Filters") or ()
    if len(filters) > _MOST_FILTERS:
        return f"The number of filters {len(filters)} exceeds the limit of {_MOST_FILTERS}."
    return None


def _of_a_queue(request: Any, arn: str) -> str | None:
    wrong = next((name for name in _OF_STREAMS if request.get(name) is not None), None)
    if wrong:
        return f"Unsupported {wrong} parameter for given event source mapping type."
    if arn.endswith(".fifo") and request.get("MaximumBatchingWindowInSeconds"):
        return "Batching window is not supported for FIFO queues"
    return None


def _of_a_stream(request: Any) -> str | None:
    if request.get("ScalingConfig"):
        return "ScalingConfig is only supported for SQS event sources."
    if request.get("StartingPosition") == "AT_TIMESTAMP" and request.get("StartingPositionTimestamp") is None:
        return "StartingPositionTimestamp is required for StartingPosition AT_TIMESTAMP."
    age = request.get("MaximumRecordAgeInSeconds")
    if age is not None and 0 <= age < _LEAST_AGE_S:
        return f"MaximumRecordAgeInSeconds {age} is invalid. It must be -1, or {_LEAST_AGE_S} or more."
    return None


def _function(request: Any) -> tuple[str, str] | None:
    taken = sorted(_RESERVED & set((request.get("Environment") or {}).get("Variables") or ()))
    if not taken:
        return None
    return "InvalidParameterValueException", (
        "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved "
        f"keys that are currently not supported for modification. Reserved keys used in this request: {', '.join(taken)}"
    )


CHECKS = {
    "CreateEventSourceMapping": _mapping,
    "CreateFunction": _function,
    "UpdateFunctionConfiguration": _function,
}
