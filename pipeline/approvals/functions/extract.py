"""First state: reads the upload, and keeps its rows as they are for the states that follow."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from pipeline.approvals import transforms
from pipeline.files.failed_files import FileRejectedError
from pipeline.files.rows import check_header, lines
from pipeline.files.work import Work

s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20))
# A person reads the list before it is loaded.
MAX_FILE_BYTES = 8 * 1024 * 1024


def handler(state: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Returns {"bytes": …}. Raises FileRejectedError for a file that is no price list."""
    work = Work.of(state)
    answer = s3.get_object(**work.upload.arguments())
    if answer["ContentLength"] > MAX_FILE_BYTES:
        message = f"FileTooLarge: {answer['ContentLength']} bytes, at most {MAX_FILE_BYTES}; split it"
        raise FileRejectedError(message)
    body = answer["Body"].read()
    of_lines = lines([body])
    check_header(next(of_lines, None), transforms.COLUMNS)
    if next(of_lines, None) is None:
        message = "HeaderOnly: no row below the header"
        raise FileRejectedError(message)
    s3.put_object(Bucket=work.upload.bucket, Key=work.part("extracted", 1), Body=body)
    return {"bytes": len(body)}
