"""Refuses a request before its service sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localstack.aws.api import CommonServiceException

from harness.inside.refusals import cloudwatch, lambda_, s3, scheduler, sns, sqs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localstack.aws.api import RequestContext
    from localstack.aws.chain import HandlerChain
    from localstack.http import Response

    Check = Callable[[Any], tuple[str, str] | None]

_CHECKS: Mapping[str, Mapping[str, Check]] = {
    "cloudwatch": cloudwatch.CHECKS,
    "lambda": lambda_.CHECKS,
    "logs": cloudwatch.CHECKS_OF_LOGS,
    "s3": s3.CHECKS,
    "scheduler": scheduler.CHECKS,
    "sns": sns.CHECKS,
    "sqs": sqs.CHECKS,
}
"""By service and operation: returns the code and the message of what AWS answers, or None for a request that it takes."""


def check(_chain: HandlerChain, context: RequestContext, _response: Response) -> None:
    """Raises CommonServiceException for a request that AWS refuses."""
    if context.operation is None or context.service_request is None:
        return
    found = _CHECKS.get(context.service.service_name, {}).get(context.operation.name)
    refusal = found(context.service_request) if found else None
    if refusal is not None:
        code, message = refusal
        raise CommonServiceException(code, message, status_code=400, sender_fault=True)
