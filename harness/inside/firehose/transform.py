"""What happens to records before they are stored: a Lambda function, metadata extraction, delimiters.

Sources: https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html,
https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning.html
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import jq

from harness.inside.firehose.record import Outgoing, Refused, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.inside.firehose.record import Incoming

LOG = logging.getLogger(__name__)

FAILED = "processing-failed"
ORDER = (
    "Decompression",
    "CloudWatchLogProcessing",
    "RecordDeAggregation",
    "Lambda",
    "MetadataExtraction",
    "AppendDelimiterToRecord",
)
"""In which order the processors work, whatever the order in the configuration."""
Keys = dict[tuple[str, str], str]
"""Values of partition keys by namespace and name."""
DEFAULT_RETRIES = 3
_DEFAULT_BUFFER_MB = 1.0
_MAX_EVENT_BYTES = 6 * 1024 * 1024 - 4096


def by_lambda(
    records: Sequence[Incoming],
    parameters: Mapping[str, str],
    stream: Mapping[str, str],
    invoke: Callable[[str, bytes], tuple[Any, str]],
) -> tuple[list[Outgoing], list[Refused]]:
    """Returns what a function makes of the records: those it answers with Ok, and those it fails. What it drops is in neither.

    `invoke` returns (payload, error text); `stream` has arn, region and source (the ARN of a Kinesis stream, or "")."""
    arn = parameters["LambdaArn"]
    kept: list[Outgoing] = []
    failed: list[Refused] = []
    for batch in _batches(records, float(parameters.get("BufferSizeInMBs") or _DEFAULT_BUFFER_MB)):
        answer, error, attempts = None, "", 0
        for _ in range(1 + int(parameters.get("NumberOfRetries") or DEFAULT_RETRIES)):
            attempts += 1
            answer, error = invoke(arn, json.dumps(_event(batch, stream)).encode())
            if not error:
                break
        if error:
            failed += [Refused(record, FAILED, "Lambda.FunctionError", error, attempts, arn) for record in batch]
            continue
        answered = _by_id(answer)
        for record in batch:
            made = _judged(record, answered.get(record.record_id), arn, attempts)
            if isinstance(made, Outgoing):
                kept.append(made)
            elif made is not None:
                failed.append(made)
    return kept, failed


def _batches(records: Sequence[Incoming], megabytes: float) -> Iterator[list[Incoming]]:
    batch: list[Incoming] = []
    size = encoded = 0
    for record in records:
        size += len(record.data)
        encoded += len(record.data) * 4 // 3 + 400
        if batch and (size > megabytes * 1024 * 1024 or encoded > _MAX_EVENT_BYTES):
            yield batch
            batch, size, encoded = [], len(record.data), len(record.data) * 4 // 3 + 400
        batch.append(record)
    if batch:
        yield batch


def _event(batch: Sequence[Incoming], stream: Mapping[str, str]) -> dict[str, Any]:
    records = []
    for record in batch:
        told: dict[str, Any] = {
            "recordId": record.record_id,
            "approximateArrivalTimestamp": round(record.arrived_at_s * 1000),
            "data": base64.b64encode(record.data).decode(),
        }
        records.append(told | ({"kinesisRecordMetadata": record.source} if record.source else {}))
    event = {"invocationId": str(uuid4()), "deliveryStreamArn": stream["arn"], "region": stream["region"], "records": records}
    return event | ({"sourceKinesisStreamArn": stream["source"]} if stream["source"] else {})


def _by_id(answer: Any) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in answer.get("records") or () if isinstance(answer, dict) else ():
        if isinstance(entry, dict):
            found.setdefault(str(entry.get("recordId")), []).append(entry)
    return found


def _judged(record: Incoming, entries: list[dict[str, Any]] | None, arn: str, attempts: int) -> Outgoing | Refused | None:
    def failure(code: str, message: str) -> Refused:
        return Refused(record, FAILED, code, message, attempts, arn)

    if not entries:
        return failure(
            "Lambda.MissingRecordId",
            "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids.",
        )
    if len(entries) > 1:
        return failure("Lambda.DuplicatedRecordId", "Multiple records were returned with the same record ID.")
    match entries[0].get("result"):
        case "Dropped":
            return None
        case "Ok":
            try:
                data = base64.b64decode(entries[0]["data"], validate=True)
            except (KeyError, ValueError, TypeError):
                return failure("Lambda.JsonProcessingException", "The data of a record is not base64.")
            keys = (entries[0].get("metadata") or {}).get("partitionKeys") or {}
            return Outgoing(record, data, lambda_keys={str(key): str(value) for key, value in keys.items()})
        case "ProcessingFailed":
            return failure("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")
        case other:
            return failure(
                "Lambda.JsonProcessingException", f"The result of a record is {other!r}, not Ok, Dropped or ProcessingFailed."
            )


def by_query(records: Sequence[Outgoing], query: str) -> tuple[list[Outgoing], list[Refused]]:
    """Returns the records with the partition keys that a jq query finds in their JSON, and those in which it does not find all of them."""
    program = jq.compile(query)
    kept: list[Outgoing] = []
    failed: list[Refused] = []
    for record in records:
        try:
            found = program.input_text(record.data.decode()).first()
            keys = {str(key): _plain(value) for key, value in found.items()}
        except (ValueError, AttributeError, StopIteration) as error:
            refused = Refused(
                record.incoming,
                FAILED,
                "DynamicPartitioning.MetadataExtractionFailed",
                f"partitionKeys could not be extracted: {error}",
                1,
            )
            failed.append(refused)
            continue
        if any(value in {"", "null"} for value in keys.values()):
            refused = Refused(
                record.incoming,
                FAILED,
                "DynamicPartitioning.MetadataExtractionFailed",
                "partitionKeys values must not be null or empty",
                1,
            )
            failed.append(refused)
        else:
            kept.append(replace(record, query_keys=keys))
    return kept, failed


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def with_keys(records: Sequence[Outgoing], wanted: set[tuple[str, str]]) -> tuple[list[tuple[Outgoing, Keys]], list[Refused]]:
    """Returns the records with the partition keys that the prefix names, and those that lack one of them."""
    kept: list[tuple[Outgoing, Keys]] = []
    failed: list[Refused] = []
    needed = {key for key in wanted if key[0].startswith("partitionKeyFrom")}
    for record in records:
        keys = {("partitionKeyFromLambda", key): value for key, value in record.lambda_keys.items()}
        keys |= {("partitionKeyFromQuery", key): value for key, value in record.query_keys.items()}
        if missing := sorted(name for namespace, name in needed if not keys.get((namespace, name))):
            message = f"partitionKeys {', '.join(missing)} were not found"
            failed.append(Refused(record.incoming, FAILED, "DynamicPartitioning.PartitionKeyNotFound", message, 1))
        else:
            kept.append((record, {key: keys[key] for key in needed}))
    return kept, failed


def beyond_the_partitions(record: Outgoing, most: int) -> Refused:
    """Returns a record of a partition that is not begun any more, as so many are active."""
    return Refused(record.incoming, FAILED, "DynamicPartitioning.ActivePartitionExceeded", f"{most} partitions are active", 1)


def decompressed(records: Sequence[Outgoing]) -> tuple[list[Outgoing], list[Refused]]:
    """Returns the records decompressed, and those that are no GZIP."""
    kept: list[Outgoing] = []
    failed: list[Refused] = []
    for record in records:
        try:
            kept.append(_with_data(record, gzip.decompress(record.data)))
        except (OSError, EOFError, zlib.error) as error:
            failed.append(Refused(record.incoming, "decompression-failed", "Decompression.Failed", str(error), 1))
    return kept, failed


def messages(records: Sequence[Outgoing]) -> tuple[list[Outgoing], list[Refused]]:
    """Returns of records of CloudWatch Logs the messages alone, each on its line, and the records that are none. Control messages are left out."""
    kept: list[Outgoing] = []
    failed: list[Refused] = []
    for record in records:
        try:
            document = json.loads(record.data)
            lines = "".join(event["message"].rstrip("\n") + "\n" for event in document["logEvents"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            failed.append(
                Refused(record.incoming, FAILED, "CloudWatchLogs.ParseError", f"no record of CloudWatch Logs: {error}", 1)
            )
            continue
        if document.get("messageType") != "CONTROL_MESSAGE":
            kept.append(_with_data(record, lines.encode()))
    return kept, failed


def delimiter(parameters: Mapping[str, str]) -> bytes | None:
    """Returns the delimiter of a RecordDeAggregation, which is base64 (IyMjIw== is ####); None where records are JSON documents. One that is no base64
    is taken as it is."""
    if parameters.get("SubRecordType") != "DELIMITED":
        return None
    text = parameters.get("Delimiter") or "Cg=="
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return text.encode().decode("unicode_escape").encode()


def split(records: Sequence[Outgoing], delimiter: bytes | None) -> list[Outgoing]:
    """Returns the records of records that hold several: by a delimiter, or by the end of each JSON document where there is none. Each is a record with an
    id from here on."""
    made: list[Outgoing] = []
    for record in records:
        if delimiter is not None:
            made += [_with_data(record, part) for part in record.data.split(delimiter) if part]
            continue
        text, decoder, at = record.data.decode(errors="surrogateescape"), json.JSONDecoder(), 0
        parts: list[str] = []
        try:
            while (at := len(text) - len(text[at:].lstrip())) < len(text):
                _, end = decoder.raw_decode(text, at)
                parts.append(text[at:end])
                at = end
        except ValueError:
            parts = [text]
        made += [_with_data(record, part.encode(errors="surrogateescape")) for part in parts]
    return made


def _with_data(record: Outgoing, data: bytes) -> Outgoing:
    """Returns a record that was made of another one: a transformation gets it, and the error prefix has it, as if it had come like this."""
    return replace(record, incoming=replace(record.incoming, record_id=new_id(), data=data), data=data)
