"""An emulator to measure, and what a row of the benchmark makes there: buckets, streams, tables, functions, mappings."""

from __future__ import annotations

import io
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.emulator.clients import Clients
from harness.errors import UnknownVerdictError
from harness.run.engine import conduct

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from harness.emulator.emulator import Description
    from harness.run.events import Event
    from harness.run.state import Run

_WITHIN_S = 300


def conducted(run: Run) -> Generator[Event]:
    """Yields the events of a run, and ends with its emulator: what runs next is to have the machine for itself."""
    try:
        yield from conduct(run)
    finally:
        run.emulator.stop()


_POLL_S = 0.02
ROLE = "arn:aws:iam::000000000000:role/bench"

# Handlers by their names. What `echo` is for is the emulator's own time: an SDK would take five times as long as the start of its environment.
_ECHO = """
def echo(event, context):
    return event
"""
_CODE = '''
import base64, json, os
import boto3

s3, kinesis = boto3.client("s3"), boto3.client("kinesis")


def put(event, context):
    """Puts all records of a batch as one object, named by the first of them and by how many there are."""
    bodies = [r["body"].encode() if "body" in r else base64.b64decode(r["kinesis"]["data"]) for r in event["Records"]]
    first = event["Records"][0]
    name = first.get("messageId") or first["kinesis"]["sequenceNumber"]
    s3.put_object(Bucket=os.environ["BUCKET"], Key=f"{name}-{len(bodies)}", Body=b"\\n".join(bodies))


def forward(event, context):
    kinesis.put_record(StreamName=os.environ["STREAM"], Data=event["body"].encode(), PartitionKey="k")
    return {"statusCode": 200, "body": "{}"}
'''


@dataclass(frozen=True, slots=True)
class Rig:
    """An emulator to measure. `name` is that of whatever a row makes: no two measurements share it."""

    description: Description
    name: str

    def __call__(self, service: str) -> Any:
        return Clients(self.description.endpoint)(service)

    def bucket(self) -> str:
        self("s3").create_bucket(Bucket=self.name)
        return self.name

    def queue(self) -> str:
        url: str = self("sqs").create_queue(QueueName=self.name, Attributes={"VisibilityTimeout": "120"})["QueueUrl"]
        return url

    def stream(self) -> str:
        """Returns the stream's ARN."""
        kinesis = self("kinesis")
        kinesis.create_stream(StreamName=self.name, ShardCount=1)
        self.until("an active stream", lambda: self._stream()["StreamStatus"] == "ACTIVE")
        arn: str = self._stream()["StreamARN"]
        return arn

    def _stream(self) -> dict[str, Any]:
        found: dict[str, Any] = self("kinesis").describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"]
        return found

    def table(self) -> str:
        self("dynamodb").create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self("dynamodb").get_waiter("table_exists").wait(TableName=self.name, WaiterConfig={"Delay": 1})
        return self.name

    def function(self, handler: str, **variables: str) -> str:
        """Returns the function's ARN."""
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("app.py", _ECHO if handler == "echo" else _CODE)
        made = self("lambda").create_function(
            FunctionName=self.name, Runtime=self.description.python_runtime, Role=ROLE, Handler=f"app.{handler}", Timeout=60,
            MemorySize=512, Code={"ZipFile": package.getvalue()}, Environment={"Variables": variables},
        )  # fmt: skip
        self("lambda").get_waiter("function_active_v2").wait(FunctionName=self.name, WaiterConfig={"Delay": 1})
        arn: str = made["FunctionArn"]
        return arn

    def mapping(self, source: str, batch: int, **more: Any) -> None:
        """Connects the function with a source, and waits until the mapping works."""
        client = self("lambda")
        made = client.create_event_source_mapping(EventSourceArn=source, FunctionName=self.name, BatchSize=batch, **more)["UUID"]
        self.until("an enabled mapping", lambda: client.get_event_source_mapping(UUID=made)["State"] == "Enabled")

    def stored(self) -> int:
        """Returns how many records the objects say that they have."""
        pages = self("s3").get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return sum(int(item["Key"].rpartition("-")[2]) for page in pages for item in page.get("Contents", ()))

    def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Waits. Raises UnknownVerdictError where it does not come."""
        deadline = time.monotonic() + _WITHIN_S
        while not holds():
            if time.monotonic() > deadline:
                message = f"{self.description.name}, {self.name}: waited {_WITHIN_S} s for {what}"
                raise UnknownVerdictError(message)
            time.sleep(_POLL_S)
