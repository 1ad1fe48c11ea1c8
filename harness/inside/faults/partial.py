"""Batches of which some entries fail: the others are really executed, and the answer says for each what AWS would say.

Each operation is a pair of pure functions on its request and its answer (as parsed by botocore); positions count from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Document = dict[str, Any]
_THROTTLED = "ProvisionedThroughputExceededException"
_UNAVAILABLE = ("ServiceUnavailable", "The service is temporarily unavailable.")


@dataclass(frozen=True, slots=True)
class Batch:
    """`entries` lists them in the order of the request. `only` is the request of the entries at the given positions. `merged` is the
    whole answer, from the answer for the executed ones (None where there were none) and the positions of those that failed."""

    entries: Callable[[Document], list[Any]]
    only: Callable[[Document, list[int]], Document]
    merged: Callable[[Document, Document | None, list[int]], Document]


def _aligned(request_key: str, answer_key: str, count_key: str, failure: Document) -> Batch:
    """Answers that have an entry for each of the request, in its order."""

    def merged(request: Document, answer: Document | None, failed: list[int]) -> Document:
        answer = answer or {}
        executed = iter(answer.get(answer_key) or [])
        marked = set(failed)
        results = [dict(failure) if n in marked else next(executed) for n in range(len(request[request_key]))]
        # Entries that failed of themselves count too.
        return {**answer, answer_key: results, count_key: len(failed) + (answer.get(count_key) or 0)}

    def only(request: Document, positions: list[int]) -> Document:
        return {**request, request_key: [request[request_key][n] for n in positions]}

    return Batch(lambda request: list(request.get(request_key) or []), only, merged)


def _identified(request_key: str) -> Batch:
    """Answers with the lists Successful and Failed, by each entry's Id."""

    def merged(request: Document, answer: Document | None, failed: list[int]) -> Document:
        answer = answer or {}
        code, message = _UNAVAILABLE
        ours = [{"Id": request[request_key][n]["Id"], "SenderFault": False, "Code": code, "Message": message} for n in failed]
        return {**answer, "Successful": answer.get("Successful") or [], "Failed": [*(answer.get("Failed") or []), *ours]}

    def only(request: Document, positions: list[int]) -> Document:
        return {**request, request_key: [request[request_key][n] for n in positions]}

    return Batch(lambda request: list(request.get(request_key) or []), only, merged)


def _batch_write() -> Batch:
    def entries(request: Document) -> list[tuple[str, Any]]:
        return [(table, item) for table, items in request["RequestItems"].items() for item in items]

    def by_table(pairs: list[tuple[str, Any]]) -> Document:
        tables: Document = {}
        for table, item in pairs:
            tables.setdefault(table, []).append(item)
        return tables

    def only(request: Document, positions: list[int]) -> Document:
        every = entries(request)
        return {**request, "RequestItems": by_table([every[n] for n in positions])}

    def merged(request: Document, answer: Document | None, failed: list[int]) -> Document:
        every = entries(request)
        unprocessed = by_table([every[n] for n in failed])
        for table, items in ((answer or {}).get("UnprocessedItems") or {}).items():
            unprocessed.setdefault(table, []).extend(items)
        return {**(answer or {}), "UnprocessedItems": unprocessed}

    return Batch(entries, only, merged)


def _batch_get() -> Batch:
    def entries(request: Document) -> list[tuple[str, Any]]:
        return [(table, key) for table, asked in request["RequestItems"].items() for key in asked["Keys"]]

    def of(request: Document, positions: list[int]) -> Document:
        every = entries(request)
        tables: Document = {}
        for n in positions:
            table, key = every[n]
            tables.setdefault(table, {**request["RequestItems"][table], "Keys": []})["Keys"].append(key)
        return tables

    def only(request: Document, positions: list[int]) -> Document:
        return {**request, "RequestItems": of(request, positions)}

    def merged(request: Document, answer: Document | None, failed: list[int]) -> Document:
        unprocessed = of(request, failed)
        for table, asked in ((answer or {}).get("UnprocessedKeys") or {}).items():
            unprocessed.setdefault(table, {**asked, "Keys": []})["Keys"].extend(asked["Keys"])
        responses = {table: [] for table in request["RequestItems"]} | ((answer or {}).get("Responses") or {})
        return {**(answer or {}), "Responses": responses, "UnprocessedKeys": unprocessed}

    return Batch(entries, only, merged)


BATCHES: Mapping[tuple[str, str], Batch] = {
    ("kinesis", "PutRecords"): _aligned(
        "Records", "Records", "FailedRecordCount", {"ErrorCode": _THROTTLED, "ErrorMessage": "Rate exceeded for shard."}
    ),
    ("events", "PutEvents"): _aligned(
        "Entries", "Entries", "FailedEntryCount", {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"}
    ),
    ("firehose", "PutRecordBatch"): _aligned(
        "Records", "RequestResponses", "FailedPutCount", {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
    ),
    ("sqs", "SendMessageBatch"): _identified("Entries"),
    ("sqs", "DeleteMessageBatch"): _identified("Entries"),
    ("sns", "PublishBatch"): _identified("PublishBatchRequestEntries"),
    ("dynamodb", "BatchWriteItem"): _batch_write(),
    ("dynamodb", "BatchGetItem"): _batch_get(),
}
