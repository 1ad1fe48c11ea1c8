"""/_pipeproof/journal?account=…: what each invocation and each AWS call of a pipeline carried, so that the way of a record can be told.

PUT begins a journal, GET with &offset=… returns its next bytes, DELETE ends it. A journal has a JSON object per line, in the order in which things ended:

    {"kind": "invocation", "at_ms", "began_ms", "id", "name", "error", "took_ms", "log", "gives_back": whether its mapping reads which items
     of the batch the answer reports as failed, "carried": the event, "answer"}
    {"kind": "call", "at_ms", "began_ms", "id", "name": who calls, "invocation", "call": "s3.PutObject", "of": the resources that it
     names, "status", "error", "put": bucket/key,
     "keys": of a write to DynamoDB each table's key attributes, "carried": the request, "body", "answer"}
    {"kind": "execution", "at_ms", "began_ms", "id": its ARN, "name": the ARN of its state machine, and its last state, "error", "carried": the input}, where it has failed
    {"kind": "state", "at_ms", "began_ms", "id": the execution's ARN, "name": the ARN of its state machine, and the state, "error", "next": the state at which
     its Catch went on, or null where its Retry began another attempt, "carried": the input of the state}, where a state has failed and the execution went on
    {"kind": "init", "at_ms", "began_ms", "id": of the invocation that it was made for, "name", "carried"}
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from localstack.http import Response, route

from harness.faults.carried import json_of_call, last_part
from harness.inside import callers
from harness.inside.call import of as call_of
from harness.inside.faults.partial import BATCHES
from harness.inside.understood import understood
from harness.redaction import redacted

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext
    from localstack.aws.chain import HandlerChain
    from localstack.http import Request

PATH = "/_pipeproof/journal"
# More than that of one event or body is not kept, nor more than this of a whole run.
_ENTRY_BYTES = 16 * 1024 * 1024
_JOURNAL_BYTES = 2 * 1024**3
_PART_BYTES = 16 * 1024 * 1024
_LOG_CHARACTERS = 8_000
_ANSWER_CHARACTERS = 2_000
# Where a request names what it is of; S3's place is told by itself.
_RESOURCES = (
    "QueueUrl", "TableName", "TopicArn", "TargetArn", "FunctionName", "StreamName", "StreamARN", "DeliveryStreamName", "stateMachineArn", "EventBusName",
    "SecretId",
)  # fmt: skip
_ITEM_WRITES = frozenset(("dynamodb", name) for name in ("PutItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"))
_BODIES = frozenset({"PutObject", "UploadPart"})


@dataclass
class _Journal:
    file: BinaryIO = field(default_factory=lambda: cast("BinaryIO", tempfile.TemporaryFile()))  # noqa: SIM115 - open for as long as the journal
    size: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"
        with self.lock:
            if self.size + len(line) <= _JOURNAL_BYTES:
                self.file.seek(self.size)
                self.file.write(line)
                self.size += len(line)

    def part(self, offset: int) -> bytes:
        with self.lock:
            self.file.seek(offset)
            return self.file.read(_PART_BYTES)


class _Noted:
    """A request's body, as S3 reads it; `seen` is what was read."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self.seen = bytearray()

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        part: bytes = self._body.read(*args, **kwargs)
        if len(self.seen) < _ENTRY_BYTES:
            self.seen += part
        return part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


_journals: dict[str, _Journal] = {}


def invocation(
    account: str,
    name: str,
    request_id: str,
    payload: bytes,
    answer: bytes,
    *,
    error: bool,
    log: str,
    began: float,
    gives_back: bool = False,
) -> None:
    """Notes an invocation that has ended; `began` is of `time.monotonic`."""
    journal = _journals.get(account)
    if journal is None:
        return
    journal.add(
        {
            "kind": "invocation",
            "at_ms": time.time_ns() // 1_000_000,
            "began_ms": time.time_ns() // 1_000_000 - round((time.monotonic() - began) * 1000),
            "id": request_id,
            "name": name,
            "error": redacted(_error_of(answer)) if error else None,
            "took_ms": round((time.monotonic() - began) * 1000),
            "log": redacted(log[-_LOG_CHARACTERS:]),
            **({"gives_back": True} if gives_back else {}),
            "carried": payload[:_ENTRY_BYTES].decode(errors="replace"),
            "answer": answer[:_ANSWER_CHARACTERS].decode(errors="replace"),
        }
    )


def execution(account: str, arn: str, name: str, error: str, given: str, began: float) -> None:
    """Notes an execution that has ended without success; `began` is in seconds since the epoch."""
    _failed(account, "execution", arn, name, error, given, began, {})


def state(account: str, arn: str, name: str, error: str, next_state: str | None, given: str, failed: float) -> None:
    """Notes a state that has failed, and at which its Catch went on; None where its Retry began another attempt. `failed` is in seconds since the epoch."""
    _failed(account, "state", arn, name, error, given, failed, {"next": next_state})


def _failed(account: str, kind: str, arn: str, name: str, error: str, given: str, began: float, more: dict[str, Any]) -> None:
    if journal := _journals.get(account):
        journal.add(
            {
                "kind": kind,
                "at_ms": time.time_ns() // 1_000_000,
                "began_ms": round(began * 1000),
                "id": arn,
                "name": name,
                "error": redacted(error[:_ANSWER_CHARACTERS]),
                **more,
                "carried": given[:_ENTRY_BYTES],
            }
        )


def init(account: str, name: str, request_id: str, payload: bytes) -> None:
    """Notes the init of an environment, and the invocation that it was made for."""
    if journal := _journals.get(account):
        journal.add(
            {
                "kind": "init",
                "at_ms": time.time_ns() // 1_000_000,
                "began_ms": time.time_ns() // 1_000_000,
                "id": request_id,
                "name": name,
                "carried": payload[:_ENTRY_BYTES].decode(errors="replace"),
            }
        )


def _error_of(answer: bytes) -> str:
    try:
        document = json.loads(answer)
        return f"{document.get('errorType')}: {document.get('errorMessage')}"[:_ANSWER_CHARACTERS]
    except (ValueError, AttributeError):
        return answer[:_ANSWER_CHARACTERS].decode(errors="replace")


def on_request(_chain: HandlerChain, context: RequestContext, _response: Response) -> None:
    """Handles a parsed request: notes when it began, and keeps what S3 is going to read of its body."""
    if context.operation is None or context.account_id not in _journals:
        return
    call_of(context).began_ms = time.time_ns() / 1_000_000
    if context.operation.name not in _BODIES:
        return
    request: Any = context.service_request
    if hasattr(request.get("Body"), "read") and _who(context)[0]:
        request["Body"] = _Noted(request["Body"])


def on_response(_chain: HandlerChain, context: RequestContext, response: Response) -> None:
    """Handles the answer of a call: notes it where a function or a state machine has made it, or a fault is addressed to it."""
    error = getattr(context.service_exception, "code", None) if response.status_code >= 400 else None
    call(context, status=response.status_code, error=error)


def call(context: RequestContext, *, status: int, error: str | None) -> None:
    """Notes a call that has ended; a `status` of 0 is one without an answer."""
    journal = _journals.get(context.account_id)
    if journal is None or context.operation is None or context.service is None:
        return
    name, invocation_id = _who(context)
    service, operation = context.service.service_name, context.operation.name
    if service in {"logs", "sts"} or not (name or call_of(context).addressed):
        return
    # A partial fault leaves only the other entries in the request that is executed.
    planned = call_of(context).planned
    request: Any = (planned.request if planned else None) or context.service_request or {}
    body = next((value.seen for value in request.values() if isinstance(value, _Noted)), b"")
    journal.add(
        {
            "kind": "call",
            "at_ms": time.time_ns() // 1_000_000,
            "began_ms": call_of(context).began_ms,
            "id": context.request_id,
            "name": name or callers.name_of(context),
            "invocation": invocation_id,
            "call": f"{service}.{operation}",
            "of": ", ".join(_resources(request)),
            "status": status,
            "error": error,
            "put": f"{request.get('Bucket')}/{request.get('Key')}" if service == "s3" and request.get("Key") else None,
            "keys": _keys(context, request) if (service, operation) in _ITEM_WRITES else None,
            "carried": json_of_call(request)[:_ENTRY_BYTES],
            "body": bytes(body).decode(errors="replace"),
            "answer": json_of_call(context.service_response)[:_ANSWER_CHARACTERS] if (service, operation) in BATCHES else "",
        }
    )


def _resources(request: dict[str, Any]) -> list[str]:
    """Returns the names of the resources that a request names."""
    found = [last_part(str(request[key])) for key in _RESOURCES if request.get(key)]
    batch = request.get("RequestItems")
    return found + sorted(batch) if isinstance(batch, dict) else found


def _keys(context: RequestContext, request: dict[str, Any]) -> dict[str, list[str]]:
    """Returns the key attributes of each table that a request names and that is there."""
    from moto.dynamodb.models import dynamodb_backends  # noqa: PLC0415 - not before DynamoDB is used

    named = {
        request.get("TableName"),
        *(request.get("RequestItems") or ()),
        *(change.get("TableName") for one in request.get("TransactItems") or () for change in one.values()),
    }
    tables = dynamodb_backends[context.account_id][context.region].tables
    return {
        name: [key for key in (tables[name].hash_key_attr, tables[name].range_key_attr) if key] for name in named if name in tables
    }


def _who(context: RequestContext) -> tuple[str, str]:
    """Returns who makes a call, and in which invocation; empty for the harness and for LocalStack itself."""
    caller = callers.caller_of(context)
    if not isinstance(caller, str):
        return caller.function, caller.request_id
    return ("a state machine", "") if (context.internal_request_params or {}).get("service_principal") == "states" else ("", "")


@route(PATH, methods=["PUT", "GET", "DELETE"])
@understood
def serve(request: Request) -> Response:
    """Answers on LocalStack's edge router; the bytes of a journal are its lines, 404 where none has begun."""
    account = request.args.get("account", "")
    if request.method == "PUT":
        _journals[account] = _Journal()
    journal = _journals.pop(account, None) if request.method == "DELETE" else _journals.get(account)
    if journal is None:
        return Response.for_json({"error": f"no journal of account {account} has begun"}, status=404)
    if request.method == "GET":
        offset = int(request.args.get("offset", "0"))
        if offset < 0:
            raise ValueError(f"offset {offset} is below 0")
        return Response(journal.part(offset), mimetype="application/octet-stream")
    return Response.for_json({"size": journal.size})
