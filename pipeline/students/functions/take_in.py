"""S3 -> DynamoDB: takes the rows of a file into the table, sets the others aside, and sends a notice with the counts.

Every step is the same when it is done again: items say which row of which upload they are, failed rows have keys of their own, and the
upload is moved last. A retry of Lambda's goes through the whole file once more.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from pipeline.delivery.conditional import put_new
from pipeline.delivery.metrics import count_records, metrics_of
from pipeline.files import failed_files
from pipeline.files.failed_files import FileRejectedError
from pipeline.files.failed_rows import FailedRow
from pipeline.files.failed_rows_object import put_failed_rows
from pipeline.files.reading import read
from pipeline.files.rows import check_header, lines, rows
from pipeline.files.uploads import uploads
from pipeline.students import transforms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.files.rows import Row
    from pipeline.files.uploads import Upload

logger = Logger(service="students-take-in")
metrics = metrics_of("Students", "students-take-in")
_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=20)
s3 = boto3.client("s3", config=_config)
dynamodb = boto3.client("dynamodb", config=_config)
sns = boto3.client("sns", config=_config)

TABLE = os.environ["STUDENTS_TABLE"]
ARCHIVE_BUCKET = os.environ["ARCHIVE_BUCKET"]
ERROR_BUCKET = os.environ["ERROR_BUCKET"]
NOTICE_TOPIC = os.environ["NOTICE_TOPIC_ARN"]
ALERT_TOPIC = os.environ["ALERT_TOPIC_ARN"]
_ROWS_AT_A_TIME = 1000
# What one invocation can write in its time: some 250,000 rows.
MAX_FILE_BYTES = 16 * 1024 * 1024


@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> None:
    """An S3 notification. Raises where a file is not done with: Lambda tries again, and tells the alert topic at last."""
    for upload in uploads(event):
        try:
            # Once before anything is written: what turns out to be no file of rows is not taken in by half.
            for _ in lines(read(s3, upload, MAX_FILE_BYTES)):
                pass
            started = time.perf_counter()
            counts = _take_in(upload)
            count_records(metrics, received=counts["rows"], processed=counts["stored"], started=started)
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in {"NoSuchKey", "NoSuchVersion"}:
                raise
            # Moved by an earlier attempt, whose last answer was lost.
            logger.info("told again", extra={"upload": upload.id})
            continue
        except FileRejectedError as error:
            _set_aside(upload, str(error))
            continue
        notice = {"noticeType": "students-taken-in", "upload": upload.id, "key": upload.key, **counts}
        sns.publish(TopicArn=NOTICE_TOPIC, Subject=f"Students: {upload.run}"[:100], Message=json.dumps(notice))
        failed_files.move(s3, upload, upload.run, bucket=ARCHIVE_BUCKET)


def _take_in(upload: Upload) -> dict[str, int]:
    of_lines = lines(read(s3, upload, MAX_FILE_BYTES))
    check_header(next(of_lines, None), transforms.COLUMNS)
    of_rows = rows(of_lines, len(transforms.COLUMNS), first_line=2)
    counts, known = Counter(rows=0, stored=0, failed=0), set[tuple[str, str]]()
    for number, some in enumerate(_batches(of_rows)):
        good, bad = transforms.sort_out(some, known)
        refused = put_new(dynamodb, TABLE, [s.item(upload.id) for s in good], own=("upload", "line"))
        of_others = {int(item["line"]["N"]) for item in refused}
        bad += [FailedRow(s.line, s.raw, "DuplicateKey: another file has it") for s in good if s.line in of_others]
        if bad:
            key = f"rows/{upload.run}/{number:06d}.ndjson"
            put_failed_rows(s3, ERROR_BUCKET, key, upload.id, bad, failed_at=datetime.now(UTC).isoformat())
        counts.update(rows=len(some), stored=len(some) - len(bad), failed=len(bad))
    if not counts["rows"]:
        message = "HeaderOnly: no row below the header"
        raise FileRejectedError(message)
    return dict(counts)


def _batches(of_rows: Iterator[Row]) -> Iterator[list[Row]]:
    while some := list(islice(of_rows, _ROWS_AT_A_TIME)):
        yield some


def _set_aside(upload: Upload, problem: str) -> None:
    name, _, reason = problem.partition(": ")
    kept_at = f"files/{upload.run}"
    # The alert comes first: once the file is moved, no retry finds it.
    failed_files.alert_failed_file(sns, ALERT_TOPIC, upload, error_name=name, reason=reason, kept_at=f"{ERROR_BUCKET}/{kept_at}")
    failed_files.move(s3, upload, kept_at, bucket=ERROR_BUCKET)
