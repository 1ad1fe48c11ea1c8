"""Moves a processed input to the archive folder."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

from pipeline.files import failed_files
from pipeline.files.work import Work

s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20))

ARCHIVE = os.environ["ARCHIVE_FOLDER"].strip("/")


def handler(state: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Returns {"archived": key}."""
    work = Work.of(state)
    key = f"{ARCHIVE}/{work.kept}"
    failed_files.move(s3, work.upload, key)
    return {"archived": key}
