"""DynamoDB inside LocalStack's process: moto's backend behind LocalStack's dispatcher, one request at a time.

moto checks a condition and writes in two steps and is not made for threads; AWS's conditional writes are atomic.
"""

from __future__ import annotations

import binascii
import json
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from localstack.aws.api.dynamodb import DynamodbApi
from localstack.aws.client import parse_response, raise_service_exception
from localstack.aws.forwarder import ForwardingFallbackDispatcher
from localstack.http import Response
from localstack.services.moto import call_moto_with_request
from localstack.services.plugins import Service
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.responses import DynamoHandler, validate_put_has_empty_keys
from werkzeug.exceptions import HTTPException

from harness.inside.call import of as call_of
from harness.inside.dynamodb import expressions, limits, reads, tokens, values
from harness.inside.dynamodb.destinations_api import KinesisDestinations
from harness.inside.dynamodb.log import one_request

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext, ServiceRequest

_one_at_a_time = threading.RLock()
_EMPTY_KEY = "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: {}"


class PipeproofDynamoDBProvider(KinesisDestinations, DynamodbApi):  # type: ignore[misc]
    """Every other operation falls through to moto."""


def _serialized(context: RequestContext, request: ServiceRequest) -> Any:
    is_transaction = context.operation.name == "TransactWriteItems"
    with _one_at_a_time:
        if values.normalize(request):
            call_of(context).rewritten = True
        expressions.verify(request)
        backend = dynamodb_backends[context.account_id][context.region]
        limits.verify(context.operation.name, request, backend)
        reads.verify(context.operation.name, request, backend)
        if is_transaction and tokens.is_repeated(context.account_id, context.region, request):
            return {}
        response = _answer_of_moto(context, request)
        if context.operation.name in {"Query", "Scan"} and isinstance(response, Response):
            response.data = reads.complete(request, response.data, backend)
            response.headers["x-amz-crc32"] = str(binascii.crc32(response.data))
        if is_transaction:
            tokens.note(context.account_id, context.region, request)
    return response


def _answer_of_moto(context: RequestContext, request: ServiceRequest) -> Any:
    """Raises the service's exception where moto refuses the request, so that nothing of it is written to a stream."""
    with one_request():
        # What is not in the bytes of the request, which moto reads: a partial fault has taken entries out, or a number has another form.
        if call_of(context).rewritten:
            return call_moto_with_request(context, request)
        response = _dispatched(context)
        if response.status_code != HTTPStatus.OK:
            raise_service_exception(response, parse_response(context.operation, context.protocol, response))
    # It goes out as it is: LocalStack would parse it, and write the same again, which takes as long as all that moto does.
    response.content_type = "application/x-amz-json-1.0"
    response.headers["x-amzn-RequestId"] = context.request_id
    context.service_response = {"written by": "moto"}
    return response


class _Handler(DynamoHandler):  # type: ignore[misc]
    """Moto's operations, with the backend at hand: moto looks it up for each item."""

    dynamodb_backend: Any = None

    def __init__(self, backend: Any) -> None:
        super().__init__()
        self.dynamodb_backend = backend

    def batch_write_item(self) -> str:
        """Moto compares all items as texts, which `limits` has done by their keys, asks each for conditions that a batch has not, and tells the capacity without being asked."""
        puts, deletes = [], []
        for name, requests in self.body["RequestItems"].items():
            table = self.dynamodb_backend.get_table(name)
            for request in requests:
                if request.get("PutRequest"):
                    item = request["PutRequest"]["Item"]
                    if any("" in value.values() for value in item.values()):
                        validate_put_has_empty_keys(item, table, _EMPTY_KEY)
                    puts.append((table, item))
                else:
                    deletes.append((name, request["DeleteRequest"]["Key"]))
        for table, item in puts:
            table.put_item(item, overwrite=True)
        for name, key in deletes:
            self.dynamodb_backend.delete_item(name, key)
        answer: dict[str, Any] = {"UnprocessedItems": {}}
        if self.body.get("ReturnConsumedCapacity") in {"TOTAL", "INDEXES"}:
            answer["ConsumedCapacity"] = [
                {"TableName": name, "CapacityUnits": 1.0, "Table": {"CapacityUnits": 1.0}} for name in self.body["RequestItems"]
            ]
        return json.dumps(answer)


def _dispatched(context: RequestContext) -> Response:
    """Returns what moto's operation answers. Moto's dispatcher would first read the request as if it came from a form, which takes as long as the operation."""
    handler = _Handler(dynamodb_backends[context.account_id][context.region])
    handler.body, handler.response_headers = context.request.get_json(force=True) if context.request.data else {}, {}
    handler.current_account, handler.region, handler.partition = context.account_id, context.region, context.partition
    operation = getattr(handler, xform_name(context.operation.name), None)
    if operation is None:
        raise NotImplementedError
    try:
        answer = operation()
    except HTTPException as refused:
        return Response(refused.description, refused.code)
    status, body = (HTTPStatus.OK, answer) if isinstance(answer, str) else (answer[0], answer[2])
    return Response(body, status, {"x-amz-crc32": str(binascii.crc32(body.encode()))})


def service() -> Service:
    """Returns the service, as LocalStack's plugin wants it."""
    return Service.for_provider(
        PipeproofDynamoDBProvider(), dispatch_table_factory=lambda provider: ForwardingFallbackDispatcher(provider, _serialized)
    )
