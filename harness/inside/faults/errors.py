"""The errors of each service under load and in trouble, as its API reference and botocore's retry tables have them.

A service that is not listed answers with the common errors:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from localstack.aws.api import CommonServiceException

# Service -> (code, status, message). Operations that differ: (service, operation).
_THROTTLED: dict[str | tuple[str, str], tuple[str, int, str]] = {
    "kinesis": ("ProvisionedThroughputExceededException", 400, "Rate exceeded for shard."),
    "dynamodb": (
        "ProvisionedThroughputExceededException", 400,
        "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level.",
    ),
    "s3": ("SlowDown", 503, "Please reduce your request rate."),
    # 403: the status that botocore's legacy retries look for.
    "sqs": ("RequestThrottled", 403, "The request was denied due to request throttling."),
    "sns": ("Throttling", 400, "Rate exceeded"),
    "lambda": ("TooManyRequestsException", 429, "Rate Exceeded."),
    "stepfunctions": ("ThrottlingException", 400, "Rate exceeded"),
    "apigateway": ("TooManyRequestsException", 429, "Too Many Requests"),
    "logs": ("ThrottlingException", 400, "Rate exceeded"),
    "events": ("ThrottlingException", 400, "Rate exceeded"),
    "firehose": ("ServiceUnavailableException", 500, "Slow down."),
}  # fmt: skip
_COMMON_THROTTLED = ("Throttling", 400, "Rate exceeded")

_FAILED: dict[str, tuple[str, int, str]] = {
    "kinesis": ("InternalFailure", 500, "Internal service failure."),
    "dynamodb": ("InternalServerError", 500, "The request processing has failed because of an unknown error."),
    "s3": ("InternalError", 500, "We encountered an internal error. Please try again."),
    "sns": ("InternalError", 500, "Internal service error."),
    "lambda": ("ServiceException", 500, "An error occurred and the request cannot be processed."),
    "logs": ("ServiceUnavailableException", 500, "The service cannot complete the request."),
    "events": ("InternalException", 500, "This exception occurs due to unexpected causes."),
    "firehose": ("ServiceUnavailableException", 500, "The service is unavailable."),
}
_COMMON_FAILED = ("InternalFailure", 500, "The request processing has failed because of an unknown error, exception or failure.")


def throttled(service: str) -> CommonServiceException:
    """Returns the service's own throttling error."""
    return _exception(*_THROTTLED.get(service, _COMMON_THROTTLED))


def failed(service: str, code: str | None = None, status: int | None = None) -> CommonServiceException:
    """Returns the service's own internal error, or another one by code and status."""
    default_code, default_status, message = _FAILED.get(service, _COMMON_FAILED)
    # The service's own text would tell of another error.
    return _exception(
        code or default_code,
        status or default_status,
        message if code in {None, default_code} else "A fault of the scenario answers this.",
    )


def _exception(code: str, status: int, message: str) -> CommonServiceException:
    return CommonServiceException(code, message, status_code=status, sender_fault=status < 500)
