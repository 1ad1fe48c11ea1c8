"""DynamoDB inside LocalStack's process: moto's backend behind LocalStack's dispatcher, one request at a time.

moto checks a condition and writes in two steps and is not made for threads; AWS's conditional writes are atomic.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from localstack.aws.api.dynamodb import DynamodbApi
from localstack.aws.forwarder import ForwardingFallbackDispatcher
from localstack.services.moto import call_moto, call_moto_with_request
from localstack.services.plugins import Service

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext, ServiceRequest

_one_at_a_time = threading.RLock()


class PipeproofDynamoDBProvider(DynamodbApi):  # type: ignore[misc]
    """Every operation falls through to moto."""


def _serialized(context: RequestContext, request: ServiceRequest) -> Any:
    with _one_at_a_time:
        # A partial fault has taken entries out of the request, but not out of its bytes, which moto reads.
        rewritten = getattr(context, "pipeproof_rewritten", False)
        return call_moto_with_request(context, request) if rewritten else call_moto(context)


def service() -> Service:
    """The service, as LocalStack's plugin wants it."""
    return Service.for_provider(
        PipeproofDynamoDBProvider(), dispatch_table_factory=lambda provider: ForwardingFallbackDispatcher(provider, _serialized)
    )
