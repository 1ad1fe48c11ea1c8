"""PutObject: a file with all its rows at once, or one object per record."""

from __future__ import annotations

import hashlib
import io
import tempfile
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field

from harness.accounting.record import Answer, Status, now_ms, object_put, upload_id
from harness.backoff import ATTEMPTS, TryAgainError, attempts
from harness.parts.batching import THROTTLES, about_record, explained
from harness.parts.ports import Context, Ingress
from harness.parts.units import File, Offer, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class S3(Ingress):
    """Puts files into `bucket` under the names that the source gives them, and single records under `key`.

    In `key`, {record_id} stands for the record's id. A row's answer names the upload (key@version) and the line."""

    shareable: ClassVar[bool] = True
    whole_files: ClassVar[bool] = True

    bucket: str
    key: Annotated[str, Field(pattern=r"\{record_id\}")] = "input/{record_id}"

    def open(self, context: Context) -> S3Sender:
        """Returns the sender."""
        return S3Sender(context, self.bucket, self.key)


class S3Sender:
    """Puts units into one bucket. The run's directory takes the file under way, which may be larger than the memory."""

    batch_size = 1

    def __init__(self, context: Context, bucket: str, key: str) -> None:
        # Without the SDK's own retries: a file whose answer was lost would be put twice.
        self._s3 = context.clients("s3", retries=False)
        self._bucket = bucket
        self._key = key
        self._scratch = context.run_dir
        self._put_before: set[str] = set()

    def send(self, units: Sequence[Unit]) -> Iterator[Offer]:
        """Yields each record with its object's answer, once that object has been put."""
        for unit in units:
            if not isinstance(unit, File):
                key = self._key.replace("{record_id}", unit.record_id)
                yield unit, self._placed(key, self._put(key, io.BytesIO(unit.payload)))
                continue
            # The rows are made twice: for the object, and then for the ledger. Neither is held in memory.
            with tempfile.TemporaryFile(dir=self._scratch) as body:
                for part in unit.parts():
                    body.write(part)
                answer = self._placed(unit.name, self._put(unit.name, body))
            for record, place in unit.places():
                yield record, answer._replace(sequence=str(place) if answer.shard else None)

    def close(self) -> None:
        """Does nothing: a boto3 client holds no resource of the run."""

    def _placed(self, key: str, answer: Answer) -> Answer:
        """Returns the answer. Without versions a second object replaces the first: what names the upload is then one of them, not both."""
        if answer.shard != upload_id(key, None):
            return answer
        again = key in self._put_before
        self._put_before.add(key)
        return answer._replace(shard=None) if again else answer

    def _put(self, key: str, body: io.BytesIO | io.BufferedRandom) -> Answer:
        offered_at_ms = now_ms()
        try:
            for attempt in attempts():
                with attempt:
                    body.seek(0)
                    answer = self._attempt(key, body, offered_at_ms)
        except TryAgainError as error:
            refused = f"after {ATTEMPTS} attempts: {error.reason}"
            return Answer(Status.REJECTED, offered_at_ms, detail=refused, about_record=False)
        if answer.status is Status.REJECTED:
            return answer
        put_at = answer.put_at
        if put_at is None:
            # Without an answer: the ETag of an object that is encrypted by KMS would be another.
            body.seek(0)
            put_at = object_put(self._bucket, key, hashlib.file_digest(body, "md5").hexdigest())
        body.seek(0)
        # As payload_hash makes it; a file need not fit in memory.
        whole = hashlib.file_digest(body, "sha256").digest()[:16]
        return answer._replace(put_at=put_at, file_hash=whole)

    def _attempt(self, key: str, body: io.BytesIO | io.BufferedRandom, offered_at_ms: int) -> Answer:
        try:
            answer: dict[str, Any] = self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code", "") in THROTTLES:
                raise TryAgainError(explained(error)) from error
            refused = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 500
            about = about_record(error.response.get("Error", {}).get("Code", ""))
            status = Status.REJECTED if refused else Status.INDETERMINATE
            return Answer(status, offered_at_ms, detail=explained(error), about_record=about)
        except BotoCoreError as error:
            return Answer(Status.INDETERMINATE, offered_at_ms, detail=f"{type(error).__name__}: {error}")
        put_at = object_put(self._bucket, key, answer["ETag"])
        return Answer(Status.ACKED, offered_at_ms, upload_id(key, answer.get("VersionId")), put_at=put_at)
