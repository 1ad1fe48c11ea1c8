"""Rows that cannot be processed: kept whole, with where they stood and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.delivery.retry import until_done

if TYPE_CHECKING:
    from collections.abc import Sequence

# BatchWriteItem: 25 items, and 16 MiB for all of them together.
_ITEMS_PER_WRITE = 25


class FailedRow(NamedTuple):
    """`problem` begins with a name for the kind of error and a colon."""

    line: int
    raw: bytes
    problem: str


class ErrorTableUnavailableError(Exception):
    """The error table did not take all rows."""


def keep_failed_rows(dynamodb: Any, table: str, upload_id: str, rows: Sequence[FailedRow], *, failed_at: str) -> None:
    """Writes one item per row, under (upload, line): again is the same. Raises ErrorTableUnavailableError where some are left."""

    def write(batch: Sequence[FailedRow]) -> list[FailedRow]:
        requests = [{"PutRequest": {"Item": _item(upload_id, row, failed_at)}} for row in batch]
        answer = dynamodb.batch_write_item(RequestItems={table: requests})
        left = {int(request["PutRequest"]["Item"]["line"]["N"]) for request in answer.get("UnprocessedItems", {}).get(table, [])}
        return [row for row in batch if row.line in left]

    for start in range(0, len(rows), _ITEMS_PER_WRITE):
        left = until_done(rows[start : start + _ITEMS_PER_WRITE], write)
        if left:
            message = f"{len(left)} rows of {upload_id} could not be written to {table}"
            raise ErrorTableUnavailableError(message)


def _item(upload_id: str, row: FailedRow, failed_at: str) -> dict[str, Any]:
    name, _, details = row.problem.partition(": ")
    return {
        "upload": {"S": upload_id},
        "line": {"N": str(row.line)},
        "raw": {"B": row.raw},
        "errorName": {"S": name},
        "errorMessage": {"S": details or name},
        "failedAt": {"S": failed_at},
    }
