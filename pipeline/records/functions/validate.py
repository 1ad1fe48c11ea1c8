"""First state: tells the records of a file from what is none, which goes to the dead-letter queue; the others go on in batches."""

from __future__ import annotations

import os
import time
from typing import Any

import boto3
from botocore.config import Config

from pipeline.delivery.metrics import count_records, metrics_of
from pipeline.files.dead_letters import DeadLetters
from pipeline.files.failed_files import FileRejectedError
from pipeline.files.work import Work
from pipeline.records import transforms

s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20))
dead_letters = DeadLetters.of_environment()

BATCH_SIZE = int(os.environ["BATCH_SIZE"])
VARIANT = os.environ["VARIANT"]

metrics = metrics_of("Records", "records-validate")


@metrics.log_metrics
def handler(state: dict[str, Any], context: Any) -> dict[str, Any]:
    """Returns {"variant", "batches": [1, 2, …], "halves" of them, "valid", "invalid"}. Raises FileRejectedError for a file that holds no records at all."""
    started = time.perf_counter()
    work = Work.of(state)
    answer = s3.get_object(**work.upload.arguments())
    if answer["ContentLength"] > transforms.MAX_FILE_BYTES:
        message = f"FileTooLarge: {answer['ContentLength']} bytes, at most {transforms.MAX_FILE_BYTES}; split it"
        raise FileRejectedError(message)
    good, bad = transforms.validate(transforms.elements(answer["Body"].read()))
    dead_letters.send(work.upload.id, bad, context)
    count = 0
    for count, batch in enumerate(transforms.batches(good, BATCH_SIZE), 1):
        s3.put_object(Bucket=work.upload.bucket, Key=work.part("valid", count), Body=transforms.dump(batch))
    numbers, middle = list(range(1, count + 1)), -(-count // 2)
    halves = [numbers[:middle], numbers[middle:]]
    count_records(metrics, received=len(good) + len(bad), processed=len(good), started=started)
    return {"variant": VARIANT, "batches": numbers, "halves": halves, "valid": len(good), "invalid": len(bad)}
