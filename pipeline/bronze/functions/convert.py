"""Firehose's transformation: answers for each record with Ok, Dropped or ProcessingFailed.

Firehose keeps the source of what fails under the error prefix. Source: https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
"""

from __future__ import annotations

import base64
import time
from typing import Any

from aws_lambda_powertools import Logger

from pipeline.bronze.transforms import Dropped, Failed, transform
from pipeline.delivery.metrics import count_records, metrics_of

logger = Logger(service="bronze-convert")
metrics = metrics_of("Bronze", "bronze-convert")


@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Returns one answer per record, with its recordId. The partition is told by `metadata.partitionKeys`."""
    started = time.perf_counter()
    answers = [_answer(record) for record in event["records"]]
    good = sum(answer["result"] != "ProcessingFailed" for answer in answers)
    count_records(metrics, received=len(answers), processed=good, started=started)
    return {"records": answers}


def _answer(record: dict[str, Any]) -> dict[str, Any]:
    found = transform(base64.b64decode(record["data"]))
    if isinstance(found, Dropped):
        return {"recordId": record["recordId"], "result": "Dropped", "data": record["data"]}
    if isinstance(found, Failed):
        logger.warning("record failed", extra={"record_id": record["recordId"], "reason": found.reason})
        return {"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]}
    return {
        "recordId": record["recordId"],
        "result": "Ok",
        "data": base64.b64encode(found.document()).decode(),
        "metadata": {"partitionKeys": {"kind": found.event_kind, "dt": found.dt, "hour": found.hour}},
    }
