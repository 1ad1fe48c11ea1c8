"""PutObject: files, each with all its rows at once."""

from __future__ import annotations

import itertools
import tempfile
import time
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from harness.accounting.record import Answer, Record, Status, upload_id
from harness.load.senders.kinesis import ATTEMPTS, FIRST_DELAY_S, LAST_DELAY_S
from harness.load.senders.sender import now_ms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.emulator.clients import Clients
    from harness.load.files import FileSource

_THROTTLES = frozenset({"SlowDown", "ServiceUnavailable", "RequestLimitExceeded", "ThrottlingException"})


class S3Sender:
    """Puts files into one bucket, under the names that the source gives them. `scratch` is a directory for the file under way."""

    def __init__(self, clients: Clients, bucket: str, scratch: Path) -> None:
        # Without the SDK's own retries: a file whose answer was lost would be there twice.
        self._s3 = clients("s3", retries=False)
        self._bucket = bucket
        self._scratch = scratch

    def send(self, source: FileSource) -> Iterator[tuple[Record, Answer]]:
        """Each record with its file's answer, after that file has been put. A row's answer names the upload (key@version) and the line."""
        # Gone through twice, side by side: into a file first, and when that is put, into the ledger. Neither is held in memory.
        again = iter(source)
        for name, records in itertools.groupby(source, key=lambda record: record.partition_key):
            frame = source.frame(name)
            count = 0

            def counted(records: Iterator[Record] = records) -> Iterator[Record]:
                nonlocal count
                for count, record in enumerate(records, 1):  # noqa: B007 - how many there were
                    yield record

            with tempfile.TemporaryFile(dir=self._scratch) as file:
                for part in frame.parts(counted()):
                    file.write(part)
                if not frame.rows:
                    count = 1
                answer = self._put(name, file)
            for record, number in frame.numbers(itertools.islice(again, count)):
                yield record, answer._replace(sequence=str(number) if answer.shard else None)

    def _put(self, key: str, body: BinaryIO) -> Answer:
        offered_at_ms = now_ms()
        reason, delay_s = "", FIRST_DELAY_S
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(delay_s)
                delay_s = min(delay_s * 2, LAST_DELAY_S)
            body.seek(0)
            try:
                answer: dict[str, Any] = self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                reason = f"{code}: {error.response.get('Error', {}).get('Message', '')}"
                if code in _THROTTLES:
                    continue
                refused = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 500
                return Answer(Status.REJECTED if refused else Status.INDETERMINATE, offered_at_ms, detail=reason)
            except BotoCoreError as error:
                return Answer(Status.INDETERMINATE, offered_at_ms, detail=f"{type(error).__name__}: {error}")
            version = answer.get("VersionId")
            return Answer(Status.ACKED, offered_at_ms, upload_id(key, version))
        return Answer(Status.REJECTED, offered_at_ms, detail=f"after {ATTEMPTS} attempts: {reason}")
