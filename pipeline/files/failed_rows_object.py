"""Failed rows as objects of NDJSON, for systems that keep them in a bucket instead of a table."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.files.failed_rows import FailedRow


def put_failed_rows(s3: Any, bucket: str, key: str, upload_id: str, rows: Iterable[FailedRow], *, failed_at: str) -> None:
    """One line per row: `upload`, `line`, `raw` (base64), `errorName`, `errorMessage`, `failedAt`."""
    body = "".join(json.dumps(_document(upload_id, row, failed_at)) + "\n" for row in rows)
    s3.put_object(Bucket=bucket, Key=key, Body=body.encode(), ContentType="application/x-ndjson")


def _document(upload_id: str, row: FailedRow, failed_at: str) -> dict[str, Any]:
    name, _, details = row.problem.partition(": ")
    return {
        "upload": upload_id,
        "line": row.line,
        "raw": base64.b64encode(row.raw).decode(),
        "errorName": name,
        "errorMessage": details or name,
        "failedAt": failed_at,
    }
