"""S3 -> S3 Select -> S3: stores the purchases of an upload that the query selects.

S3 Select reads the newest version of an object, and one row that it cannot read ends the whole query. So the rows that are purchases are
copied to a key that no other upload has; the others are dead letters. Every step is the same when it is done again.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, TypeVar

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from pipeline.delivery.metrics import count_records, metrics_of
from pipeline.files import failed_files
from pipeline.files.dead_letters import DeadLetters
from pipeline.files.failed_files import FileRejectedError
from pipeline.files.reading import read
from pipeline.files.rows import check_header, lines, rows
from pipeline.files.uploads import uploads
from pipeline.purchases import transforms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipeline.files.uploads import Upload

Item = TypeVar("Item")

logger = Logger(service="purchases-select")
metrics = metrics_of("Purchases", "purchases-select")
_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=60)
s3 = boto3.client("s3", config=_config)
sns = boto3.client("sns", config=_config)
dead_letters = DeadLetters.of_environment()

BUCKET = os.environ["PURCHASES_BUCKET"]
TOPIC = os.environ["ALERT_TOPIC_ARN"]
QUERY = os.environ["QUERY"]
PART_BYTES = int(os.environ["PART_BYTES"])
_ROWS_AT_A_TIME = 1000
# The copy lies in the function's ephemeral storage.
MAX_FILE_BYTES = 1024 * 1024 * 1024

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_SelectObjectContent.html
_CSV = {"CSV": {"FileHeaderInfo": "USE", "AllowQuotedRecordDelimiter": True}}
_JSON = {"JSON": {"Type": "LINES"}}


class SelectionIncompleteError(Exception):
    """The answer of S3 Select has ended before its end."""


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> None:
    """An S3 notification. Raises where a file is not done with: Lambda tries again, and tells the alert topic at last."""
    for upload in uploads(event):
        work = f"work/{upload.run}"
        try:
            source = _copy_purchases(upload, work, context)
        except FileRejectedError as error:
            name, _, reason = str(error).partition(": ")
            kept_at = f"{upload.bucket}/{upload.key}"
            failed_files.alert_failed_file(sns, TOPIC, upload, error_name=name, reason=reason, kept_at=kept_at)
            continue
        _select(upload, work, source)
        s3.delete_object(Bucket=BUCKET, Key=work)


def _copy_purchases(upload: Upload, work: str, context: Any) -> dict[str, Any]:
    """Puts the rows that are purchases under `work`, and sends the others to the dead-letter queue. Returns how S3 Select must read the copy."""
    as_json = upload.key.lower().endswith((".json", ".ndjson"))
    started, received, good = time.perf_counter(), 0, 0
    with tempfile.TemporaryFile() as copy:
        for some in _sorted_json(upload) if as_json else _sorted_csv(upload, copy):
            dead_letters.send(upload.id, some.bad, context)
            copy.writelines(row + b"\n" for row in some.good)
            received, good = received + len(some.good) + len(some.bad), good + len(some.good)
        copy.seek(0)
        s3.upload_fileobj(copy, BUCKET, work)
    count_records(metrics, received=received, processed=good, started=started)
    return _JSON if as_json else _CSV


def _sorted_csv(upload: Upload, copy: IO[bytes]) -> Iterator[transforms.Sorted]:
    of_lines = lines(read(s3, upload, MAX_FILE_BYTES))
    check_header(next(of_lines, None), transforms.COLUMNS)
    copy.write(",".join(transforms.COLUMNS).encode() + b"\n")
    of_rows = rows(of_lines, len(transforms.COLUMNS), first_line=2)
    yield from _batches(of_rows, transforms.sort_out, "HeaderOnly: no row below the header")


def _sorted_json(upload: Upload) -> Iterator[transforms.Sorted]:
    numbered = enumerate(lines(read(s3, upload, MAX_FILE_BYTES)), 1)
    yield from _batches(numbered, transforms.sort_out_json, "EmptyFile: not a byte in it")


def _batches(items: Iterator[Item], sort: Callable[[list[Item]], transforms.Sorted], if_none: str) -> Iterator[transforms.Sorted]:
    """Yields the items sorted out, some at a time. Raises FileRejectedError where there are none."""
    none = True
    while some := list(islice(items, _ROWS_AT_A_TIME)):
        none = False
        yield sort(some)
    if none:
        raise FileRejectedError(if_none)


def _select(upload: Upload, work: str, source: dict[str, Any]) -> None:
    """Runs the query on the copy, and stores what it returns in objects of some PART_BYTES."""
    answer = s3.select_object_content(
        Bucket=BUCKET,
        Key=work,
        ExpressionType="SQL",
        Expression=QUERY,
        InputSerialization=source,
        OutputSerialization={"JSON": {"RecordDelimiter": "\n"}},
    )
    number, part, size = 1, list[bytes](), 0
    for line in transforms.results(_payloads(answer["Payload"]), json.dumps(upload.id).encode()):
        part.append(line)
        size += len(line)
        if size >= PART_BYTES:
            _put(upload, number, part)
            number, part, size = number + 1, [], 0
    if part:
        _put(upload, number, part)


def _payloads(events: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    ended = False
    for event in events:
        if "Records" in event:
            yield event["Records"]["Payload"]
        ended = ended or "End" in event
    if not ended:
        # The connection has ended, not the result: S3 says so by this event alone.
        raise SelectionIncompleteError("no End event")


def _put(upload: Upload, number: int, part: list[bytes]) -> None:
    key = f"selected/{upload.run}/{number:06d}.ndjson"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"".join(part), ContentType="application/x-ndjson")
