"""The limits of Invoke that LocalStack does not keep: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localstack.aws.api import CommonServiceException

from harness.inside.lambda_.errors import MAX_PAYLOAD_BYTES

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext

MAX_EVENT_BYTES = 1024 * 1024
"""Limit of an asynchronous invocation's payload."""


def check_payload_size(_chain: Any, context: RequestContext, _response: Any) -> None:
    """Refuses an Invoke whose payload is too large, as Lambda does."""
    if context.operation is None or context.operation.name != "Invoke" or context.service_request is None:
        return
    kind = context.service_request.get("InvocationType") or "RequestResponse"
    limit = MAX_EVENT_BYTES if kind == "Event" else MAX_PAYLOAD_BYTES
    # The parsed payload may be a stream, which must stay unread; its length is that of the request.
    size = context.request.content_length or 0
    if size > limit:
        raise CommonServiceException(
            "RequestEntityTooLargeException",
            f"{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
            status_code=413,
            sender_fault=True,
        )
