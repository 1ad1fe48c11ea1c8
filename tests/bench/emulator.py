"""`tox -e bench -- emulator`: what the embedded emulator does of each service in a second, beside another emulator, in turns.

Both run at the same time, one working while the other waits. A row makes what it needs anew in each round, on the emulator that it measures, and what
it measures has ended when it returns: records are counted where they are stored, executions when they have ended.
"""

from __future__ import annotations

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

from harness.emulator.embedded import Embedded
from harness.errors import UnknownVerdictError
from tests.bench.figures import Figure, write
from tests.bench.ministack import VERSION, MiniStack
from tests.bench.rig import ROLE, Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.emulator.emulator import Emulator

_AT_ONCE = 8
OURS, PEER = "embedded", f"MiniStack {VERSION}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what is measured, in `unit`. `better` is higher or lower."""

    name: str
    unit: str
    measure: Callable[[Rig], float]
    better: str = "higher"


def bench_emulator(
    repetitions: int, out: Path, tell: Callable[[str], None], peer: str | None = None, only: Sequence[str] = ()
) -> tuple[list[Figure], dict[str, list[float]]]:
    """Returns all figures, and the ratios to the peer by row: above 1 the embedded emulator is the faster one. `only` are texts of which a row's name
    must have one."""
    rows = [row for row in ROWS if not only or any(text in row.name for text in only)]
    measured: dict[str, dict[str, list[float]]] = {row.name: {OURS: [], PEER: []} for row in rows}
    with tempfile.TemporaryDirectory(prefix="pipeproof-bench-") as scratch:
        root = Path(scratch)
        emulators: dict[str, Emulator] = {OURS: Embedded(root / "ours.log")}
        if peer:
            emulators[PEER] = MiniStack(root / "peer.log")
        try:
            for emulator in emulators.values():
                for step in emulator.prepare():
                    tell(step)
            described = {who: emulator.start() for who, emulator in emulators.items()}
            for number in range(repetitions):
                for place, row in enumerate(rows):
                    tell(f"round {number + 1} of {repetitions}: {row.name}")
                    # Who comes first changes, from round to round.
                    for who in sorted(described, reverse=number % 2 == 1):
                        emulators[who].check()
                        measured[row.name][who].append(row.measure(Rig(described[who], f"bench-{number}-{place}")))
        finally:
            for emulator in emulators.values():
                emulator.stop()
    figures = list(_figures(rows, measured, with_peer=bool(peer)))
    write(figures, out)
    return figures, {row.name: _ratios(row, measured[row.name]) for row in rows if peer}


def _figures(rows: Sequence[Row], measured: Mapping[str, Mapping[str, Sequence[float]]], *, with_peer: bool) -> Iterator[Figure]:
    for row in rows:
        of = measured[row.name]
        yield Figure(row.name, row.unit, tuple(of[OURS]), None, row.better)
        if with_peer:
            yield Figure(f"{row.name}: {PEER}", row.unit, tuple(of[PEER]), None, row.better)
            yield Figure(f"{row.name}: {OURS} to {PEER}", "ratio", tuple(_ratios(row, of)), 1.0)


def _ratios(row: Row, measured: Mapping[str, Sequence[float]]) -> list[float]:
    pairs = zip(measured[OURS], measured[PEER], strict=True)
    return [ours / theirs if row.better == "higher" else theirs / ours for ours, theirs in pairs]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _rate(many: int, each: Callable[[int], object], at_once: int = 1) -> float:
    """Returns how many calls there were in a second."""
    if at_once == 1:
        return many / _seconds(lambda: [each(number) for number in range(many)])
    with ThreadPoolExecutor(at_once) as pool:
        return many / _seconds(lambda: list(pool.map(each, range(many))))


def _put_records(rig: Rig) -> float:
    rig.stream()
    kinesis, size = rig("kinesis"), 500
    records = [{"Data": b"x" * 300, "PartitionKey": str(number)} for number in range(size)]
    return size * _rate(20, lambda _: kinesis.put_records(StreamName=rig.name, Records=records))


def _events_to_s3(many: int) -> Callable[[Rig], float]:
    def measure(rig: Rig) -> float:
        stream, kinesis = rig.stream(), rig("kinesis")
        rig.function("put", BUCKET=rig.bucket())
        rig.mapping(stream, 500, StartingPosition="TRIM_HORIZON")
        records = [{"Data": b"x" * 300, "PartitionKey": str(number)} for number in range(500)]

        def through() -> None:
            for _ in range(many // 500):
                kinesis.put_records(StreamName=rig.name, Records=records)
            rig.until(f"{many:,} records", lambda: rig.stored() >= many)

        return many / _seconds(through)

    return measure


def _invoke(rig: Rig, payload: bytes = b"{}") -> None:
    answer = rig("lambda").invoke(FunctionName=rig.name, Payload=payload)
    answer["Payload"].read()
    if answer.get("FunctionError"):
        message = f"{rig.description.name}: the benchmark's function failed: {answer}"
        raise UnknownVerdictError(message)


def _cold(rig: Rig) -> float:
    rig.function("echo")
    return _seconds(lambda: _invoke(rig))


def _warm(at_once: int) -> Callable[[Rig], float]:
    def measure(rig: Rig) -> float:
        rig.function("echo")
        # Every environment that will be needed is there.
        _rate(at_once * 2, lambda _: _invoke(rig), at_once)
        return _rate(200, lambda _: _invoke(rig), at_once)

    return measure


def _api_to_kinesis(rig: Rig) -> float:
    rig.stream()
    function, apis = rig.function("forward", STREAM=rig.name), rig("apigateway")
    api = apis.create_rest_api(name=rig.name)["id"]
    (root,) = (item["id"] for item in apis.get_resources(restApiId=api)["items"] if item["path"] == "/")
    apis.put_method(restApiId=api, resourceId=root, httpMethod="POST", authorizationType="NONE")
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    apis.put_integration(restApiId=api, resourceId=root, httpMethod="POST", type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    apis.create_deployment(restApiId=api, stageName="v1")
    url = f"{rig.description.endpoint}/restapis/{api}/v1/_user_request_/"
    http = urllib3.PoolManager(maxsize=_AT_ONCE)

    def post(_: int) -> None:
        answer = http.request("POST", url, body=b'{"a": 1}', retries=False, timeout=60)
        if answer.status != 200:
            message = f"{rig.description.name}: the API answered {answer.status}: {answer.data[:200]!r}"
            raise UnknownVerdictError(message)

    _rate(2 * _AT_ONCE, post, _AT_ONCE)
    return _rate(300, post, _AT_ONCE)


def _machine(rig: Rig, definition: dict[str, Any]) -> str:
    made = rig("stepfunctions").create_state_machine(name=rig.name, definition=json.dumps(definition), roleArn=ROLE)
    arn: str = made["stateMachineArn"]
    return arn


def _execute(rig: Rig, machine: str, name: str) -> None:
    client = rig("stepfunctions")
    arn = client.start_execution(stateMachineArn=machine, name=name, input="{}")["executionArn"]
    rig.until("an execution", lambda: client.describe_execution(executionArn=arn)["status"] != "RUNNING")
    if (status := client.describe_execution(executionArn=arn)["status"]) != "SUCCEEDED":
        message = f"{rig.description.name}: the execution has {status}"
        raise UnknownVerdictError(message)


def _map_of_functions(rig: Rig) -> float:
    function = rig.function("echo")
    task = {"Type": "Task", "Resource": function, "End": True}
    items = {"Type": "Pass", "Result": list(range(200)), "ResultPath": "$.items", "Next": "Each"}
    each = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "MaxConcurrency": _AT_ONCE,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Call", "States": {"Call": task}},
        "End": True,
    }
    machine = _machine(rig, {"StartAt": "Items", "States": {"Items": items, "Each": each}})
    _rate(2 * _AT_ONCE, lambda _: _invoke(rig), _AT_ONCE)
    return _seconds(lambda: _execute(rig, machine, "all"))


def _executions(rig: Rig) -> float:
    states = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "C"}, "C": {"Type": "Pass", "End": True}}
    machine = _machine(rig, {"StartAt": "A", "States": states})
    return _rate(100, lambda number: _execute(rig, machine, f"e{number}"), _AT_ONCE)


def _s3_put(rig: Rig) -> float:
    bucket, s3, body = rig.bucket(), rig("s3"), b"x" * 1024
    return _rate(300, lambda number: s3.put_object(Bucket=bucket, Key=f"k{number}", Body=body))


def _s3_get(rig: Rig) -> float:
    bucket, s3 = rig.bucket(), rig("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 102_400)
    return _rate(300, lambda _: s3.get_object(Bucket=bucket, Key="k")["Body"].read())


def _s3_list(rig: Rig) -> float:
    bucket, s3 = rig.bucket(), rig("s3")
    _rate(1000, lambda number: s3.put_object(Bucket=bucket, Key=f"k{number:04d}", Body=b"x"), _AT_ONCE)
    return _rate(20, lambda _: s3.list_objects_v2(Bucket=bucket))


def _batch_write(rig: Rig) -> float:
    table, dynamodb = rig.table(), rig("dynamodb")

    def write_batch(number: int) -> None:
        items = [{"id": {"S": f"{number}-{n}"}, "value": {"N": str(n)}, "text": {"S": "x" * 100}} for n in range(25)]
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in items]})

    return 25 * _rate(100, write_batch)


def _conditional_put(rig: Rig) -> float:
    table, dynamodb = rig.table(), rig("dynamodb")
    condition = "attribute_not_exists(id)"
    return _rate(
        300,
        lambda number: dynamodb.put_item(
            TableName=table, Item={"id": {"S": str(number)}, "text": {"S": "x" * 100}}, ConditionExpression=condition
        ),
    )


def _get_item(rig: Rig) -> float:
    table, dynamodb = rig.table(), rig("dynamodb")
    dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}, "text": {"S": "x" * 100}})
    return _rate(300, lambda _: dynamodb.get_item(TableName=table, Key={"id": {"S": "1"}}))


def _fill(rig: Rig, url: str, many: int) -> float:
    sqs = rig("sqs")
    entries = [{"Id": str(number), "MessageBody": "x" * 200} for number in range(10)]
    return 10 * _rate(many // 10, lambda _: sqs.send_message_batch(QueueUrl=url, Entries=entries))


def _sqs_send(rig: Rig) -> float:
    return _fill(rig, rig.queue(), 2000)


def _sqs_receive(rig: Rig) -> float:
    url, sqs, many = rig.queue(), rig("sqs"), 2000
    _fill(rig, url, many)

    def all_of_them() -> None:
        left = many
        while left:
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            if messages:
                entries = [{"Id": m["MessageId"][:80], "ReceiptHandle": m["ReceiptHandle"]} for m in messages]
                sqs.delete_message_batch(QueueUrl=url, Entries=entries)
            left -= len(messages)

    return many / _seconds(all_of_them)


def _sqs_to_s3(rig: Rig) -> float:
    url, many = rig.queue(), 2000
    rig.function("put", BUCKET=rig.bucket())
    arn = rig("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rig.mapping(arn, 10)

    def through() -> None:
        _fill(rig, url, many)
        rig.until(f"{many:,} messages", lambda: rig.stored() >= many)

    return many / _seconds(through)


ROWS = (
    Row("PutRecords, 500 of 300 bytes", "records/s", _put_records),
    Row("10,000 events to S3", "records/s", _events_to_s3(10_000)),
    Row("100,000 events to S3", "records/s", _events_to_s3(100_000)),
    Row("Lambda cold", "s", _cold, "lower"),
    Row("Lambda warm, one at a time", "1/s", _warm(1)),
    Row(f"Lambda warm, {_AT_ONCE} at a time", "1/s", _warm(_AT_ONCE)),
    Row(f"API to Lambda to Kinesis, {_AT_ONCE} at a time", "1/s", _api_to_kinesis),
    Row("Map of 200 functions", "s", _map_of_functions, "lower"),
    Row("executions of three states", "1/s", _executions),
    Row("S3 put, 1 KB", "1/s", _s3_put),
    Row("S3 get, 100 KB", "1/s", _s3_get),
    Row("S3 list, 1,000 keys", "1/s", _s3_list),
    Row("DynamoDB batch write", "items/s", _batch_write),
    Row("DynamoDB conditional put", "1/s", _conditional_put),
    Row("DynamoDB get", "1/s", _get_item),
    Row("SQS send, batches of ten", "messages/s", _sqs_send),
    Row("SQS receive and delete", "messages/s", _sqs_receive),
    Row("SQS to Lambda to S3", "messages/s", _sqs_to_s3),
)
