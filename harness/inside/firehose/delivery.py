"""One delivery stream to S3: a buffer, and a thread that delivers it when it is full or old enough.

Sources: https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html, …/create-destination.html, …/data-transformation.html
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import threading
import time
import weakref
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError
from localstack.aws.connect import connect_to
from localstack.utils.aws.arns import s3_bucket_name
from localstack.utils.aws.client_types import ServicePrincipal

from harness.inside.firehose import convert, prefix, transform
from harness.inside.firehose.record import Outgoing
from harness.inside.metrics import Metric, count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.inside.firehose.record import Incoming, Refused
    from harness.inside.firehose.transform import Keys

LOG = logging.getLogger(__name__)

DEFAULT_SIZE_MB, DEFAULT_INTERVAL_S = 5, 300
FIRST_RETRY_S, LAST_RETRY_S = 0.2, 10.0
MAX_PARTITIONS = 500

_live: weakref.WeakSet[Delivery] = weakref.WeakSet()


def live_deliveries(account: str | None) -> list[Delivery]:
    """Returns the delivery streams to S3 of an account, or of all."""
    return [delivery for delivery in list(_live) if not delivery.closed.is_set() and account in {None, delivery.account}]


class Delivery:
    """One delivery stream. `stream` is LocalStack's description of it, in which an update of the destination shows."""

    def __init__(self, account: str, region: str, stream: Any) -> None:
        self.account, self.region, self.stream = account, region, stream
        self.name: str = stream["DeliveryStreamName"]
        self.closed = threading.Event()
        self._changed = threading.Condition()
        self._waiting: list[Incoming] = []
        self._size = 0
        self._flush = False
        self._delivering = 0
        _live.add(self)
        threading.Thread(target=self._run, name=f"firehose-{self.name}", daemon=True).start()

    @property
    def destination(self) -> dict[str, Any]:
        """Returns the configuration of the S3 destination, the extended one where there is one."""
        for destination in self.stream["Destinations"]:
            found = destination.get("ExtendedS3DestinationDescription") or destination.get("S3DestinationDescription")
            if found:
                return dict(found)
        return {}

    @property
    def hints(self) -> tuple[float, float]:
        """Returns (bytes, seconds) after which the buffer is delivered."""
        hints = self.destination.get("BufferingHints") or {}
        size_mb, interval_s = hints.get("SizeInMBs"), hints.get("IntervalInSeconds")
        return (
            (DEFAULT_SIZE_MB if size_mb is None else size_mb) * 1024 * 1024,
            DEFAULT_INTERVAL_S if interval_s is None else interval_s,
        )

    def waiting(self) -> int:
        """Returns how many records are in the buffer or being delivered."""
        with self._changed:
            return len(self._waiting) + self._delivering

    def due_in_s(self) -> float:
        """Returns how many seconds the oldest record in the buffer may still wait."""
        with self._changed:
            return max(0.0, self._waiting[0].arrived_at_s + self.hints[1] - time.time()) if self._waiting else 0.0

    def take(self, records: Sequence[Incoming]) -> None:
        """Puts records into the buffer."""
        with self._changed:
            self._waiting += records
            self._size += sum(len(record.data) for record in records)
            self._changed.notify_all()
        self._count("IncomingRecords", len(records))
        self._count("IncomingBytes", sum(len(record.data) for record in records), "Bytes")

    def flush(self) -> None:
        """Delivers the buffer now."""
        with self._changed:
            self._flush = bool(self._waiting)
            self._changed.notify_all()

    def close(self) -> None:
        """Delivers what is in the buffer, and ends."""
        self.closed.set()
        self.flush()

    def _count(self, name: str, value: float, unit: str = "Count") -> None:
        count(Metric(self.account, self.region, "AWS/Firehose", ("DeliveryStreamName", self.name), name, unit), value)

    def _is_due(self) -> bool:
        size, interval_s = self.hints
        if not self._waiting:
            return self.closed.is_set()
        old = time.time() - self._waiting[0].arrived_at_s
        return self._flush or self.closed.is_set() or self._size >= size or old >= interval_s

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._is_due():
                    self._changed.wait(
                        min(max(self._waiting[0].arrived_at_s + self.hints[1] - time.time(), 0.01), 1.0) if self._waiting else 1.0
                    )
                batch, self._waiting, self._size, self._flush = self._waiting, [], 0, False
                self._delivering = len(batch)
            if not batch:
                return
            try:
                self._deliver(batch)
            except Exception:
                LOG.exception("%d records of %s could not be delivered; they stay in the buffer", len(batch), self.name)
                time.sleep(LAST_RETRY_S)
                with self._changed:
                    self._waiting = batch + self._waiting
            with self._changed:
                self._delivering = 0

    # From the buffer into objects.

    def _deliver(self, batch: Sequence[Incoming]) -> None:
        configuration = self.destination
        backup = configuration.get("S3BackupDescription")
        if configuration.get("S3BackupMode") == "Enabled" and backup:
            self._write(backup, b"".join(record.data for record in batch), batch[0].arrived_at_s)
        made, refused = self._processed(batch, configuration)
        kept, failed = transform.with_keys(made, prefix.names(configuration.get("Prefix") or ""))
        refused += failed
        for number, (keys, records) in enumerate(_by_partition(kept)):
            if number < MAX_PARTITIONS:
                self._store(configuration, keys, records, refused)
            else:
                refused += [transform.beyond_the_partitions(record, MAX_PARTITIONS) for record in records]
        self._store_refused(configuration, refused)
        self._count("DeliveryToS3.Records", len(kept))

    def _processed(self, batch: Sequence[Incoming], configuration: Mapping[str, Any]) -> tuple[list[Outgoing], list[Refused]]:
        processing = configuration.get("ProcessingConfiguration") or {}
        made = [Outgoing(record, record.data) for record in batch]
        refused: list[Refused] = []
        chosen = {one["Type"]: one for one in processing.get("Processors", ())} if processing.get("Enabled") else {}
        for kind in transform.ORDER:
            if kind not in chosen:
                continue
            parameters = {one["ParameterName"]: one["ParameterValue"] for one in chosen[kind].get("Parameters", ())}
            failed: list[Refused] = []
            match kind:
                case "Decompression":
                    made, failed = transform.decompressed(made)
                case "CloudWatchLogProcessing":
                    made, failed = transform.messages(made) if parameters.get("DataMessageExtraction") == "true" else (made, [])
                case "RecordDeAggregation":
                    made = transform.split(made, transform.delimiter(parameters))
                case "Lambda":
                    stream = {"arn": self.stream["DeliveryStreamARN"], "region": self.region, "source": self._source}
                    made, failed = transform.by_lambda([record.incoming for record in made], parameters, stream, self._invoke)
                case "MetadataExtraction":
                    made, failed = transform.by_query(made, parameters["MetadataExtractionQuery"])
                case "AppendDelimiterToRecord":
                    end = (parameters.get("Delimiter") or "\\n").encode().decode("unicode_escape").encode()
                    made = [replace(one, data=one.data + end) for one in made]
            refused += failed
        return made, refused

    @property
    def _source(self) -> str:
        return str((self.stream.get("Source") or {}).get("KinesisStreamSourceDescription", {}).get("KinesisStreamARN", ""))

    def _invoke(self, arn: str, event: bytes) -> tuple[Any, str]:
        """Invokes the transformation. Returns its answer, and what is wrong with the invocation ("" where nothing is)."""
        try:
            answer = self._clients().lambda_.invoke(FunctionName=arn, Payload=event)
            payload = json.loads(answer["Payload"].read() or b"null")
        except (ClientError, BotoCoreError) as error:
            return None, f"The Lambda function could not be invoked: {error}"
        except ValueError:
            return None, "The Lambda function's answer is not JSON."
        if answer.get("FunctionError"):
            return (
                None,
                f"The Lambda function was successfully invoked but it returned an error result: {json.dumps(payload)[:500]}",
            )
        return payload, ""

    def _clients(self) -> Any:
        role = self.destination.get("RoleARN")
        if role:
            return connect_to.with_assumed_role(role_arn=role, service_principal=ServicePrincipal.firehose, region_name=self.region)
        return connect_to(aws_access_key_id=self.account, region_name=self.region)

    def _store(
        self,
        configuration: Mapping[str, Any],
        keys: Mapping[tuple[str, str], str],
        records: Sequence[Outgoing],
        refused: list[Refused],
    ) -> None:
        conversion = configuration.get("DataFormatConversionConfiguration") or {}
        oldest = records[0].incoming.arrived_at_s
        if conversion.get("Enabled", bool(conversion)):
            body, kept, failed = convert.converted(records, self._schema(conversion), conversion)
            refused += failed
            if body is not None:
                end = convert.extension(conversion)
                self._write(configuration, body, kept[0].incoming.arrived_at_s, keys=keys, extension=end, compress=False)
            return
        self._write(configuration, b"".join(record.data for record in records), oldest, keys=keys)

    def _schema(self, conversion: Mapping[str, Any]) -> Any:
        wanted = conversion["SchemaConfiguration"]
        clients = connect_to(
            aws_access_key_id=wanted.get("CatalogId") or self.account, region_name=wanted.get("Region") or self.region
        )
        table = clients.get_client("glue").get_table(DatabaseName=wanted["DatabaseName"], Name=wanted["TableName"])["Table"]
        return convert.schema_of(table["StorageDescriptor"]["Columns"])

    def _store_refused(self, configuration: Mapping[str, Any], refused: Sequence[Refused]) -> None:
        now_s = time.time()
        for kind, some in groupby(sorted(refused, key=lambda one: one.kind), key=lambda one: one.kind):
            group = list(some)
            lines = "".join(json.dumps(one.line(now_s)) + "\n" for one in group)
            oldest = min(one.incoming.arrived_at_s for one in group)
            self._write(configuration, lines.encode(), oldest, error=kind)

    def _write(
        self, configuration: Mapping[str, Any], body: bytes, arrived_at_s: float, *, error: str = "",
        keys: Mapping[tuple[str, str], str] | None = None, extension: str = "", compress: bool = True,
    ) -> None:  # fmt: skip
        """Puts an object, again and again until S3 takes it. A record that is acknowledged is never dropped."""
        if not body:
            return
        given = configuration.get("Prefix") or ""
        chosen = (configuration.get("ErrorOutputPrefix") or given) if error else given
        zone = configuration.get("CustomTimeZone") or "UTC"
        path = prefix.evaluated(chosen, arrived_at_s, zone=zone, error=error, keys=keys)
        name = f"{self.name}-{self.stream['VersionId']}-{datetime.now(UTC):%Y-%m-%d-%H-%M-%S}-{uuid4()}"
        if compress:
            body, extension = _compressed(body, configuration.get("CompressionFormat") or "UNCOMPRESSED")
        extension = (configuration.get("FileExtension") or extension) if not error else extension
        delay_s = FIRST_RETRY_S
        while True:
            try:
                s3 = self._clients().s3.request_metadata(source_arn=self.name, service_principal=ServicePrincipal.firehose)
                s3.put_object(Bucket=s3_bucket_name(configuration["BucketARN"]), Key=f"{path}{name}{extension}", Body=body)
            except (ClientError, BotoCoreError) as failure:
                if self.closed.is_set():
                    LOG.warning("%s is deleted, and %d bytes of it are not delivered: %s", self.name, len(body), failure)
                    return
                LOG.warning("S3 refused %d bytes of %s: %s", len(body), self.name, failure)
                self._count("DeliveryToS3.Success", 0)
                self.closed.wait(delay_s)
                delay_s = min(delay_s * 2, LAST_RETRY_S)
            else:
                self._count("DeliveryToS3.Success", 1)
                return


def _by_partition(records: Sequence[tuple[Outgoing, Keys]]) -> Iterator[tuple[Keys, list[Outgoing]]]:
    """Yields the records of each set of partition keys, in the order in which the sets first came."""
    groups: dict[tuple[tuple[tuple[str, str], str], ...], list[Outgoing]] = {}
    for record, keys in records:
        groups.setdefault(tuple(sorted(keys.items())), []).append(record)
    for key, group in groups.items():
        yield dict(key), group


def _compressed(body: bytes, kind: str) -> tuple[bytes, str]:
    match kind:
        case "GZIP":
            return gzip.compress(body, mtime=0), ".gz"
        case "ZIP":
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("data", body)
            return out.getvalue(), ".zip"
        case "Snappy" | "HADOOP_SNAPPY":
            import pyarrow as pa  # noqa: PLC0415

            return pa.compress(body, codec="snappy", asbytes=True), ".snappy"
        case _:
            return body, ""
