"""Firehose inside LocalStack's process: LocalStack for the control plane and other destinations, our deliveries for S3.

LocalStack writes an object per put, sends an ordinary transformation events that it cannot read, loses what the transformation fails, and
needs Java to read from Kinesis. Limits and error codes are those of the API reference
(https://docs.aws.amazon.com/firehose/latest/APIReference/).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from localstack.aws.api.firehose import (
    CreateDeliveryStreamOutput,
    DeleteDeliveryStreamOutput,
    InvalidArgumentException,
    ListDeliveryStreamsOutput,
    PutRecordBatchOutput,
    PutRecordOutput,
    ResourceNotFoundException,
    UpdateDestinationOutput,
)
from localstack.services.firehose.mappers import convert_source_config_to_desc
from localstack.services.firehose.provider import FirehoseProvider

from harness.inside.firehose import prefix
from harness.inside.firehose.delivery import Delivery
from harness.inside.firehose.kinesis_source import KinesisReader
from harness.inside.firehose.record import Incoming, new_id

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext

MAX_RECORD_BYTES = 1000 * 1024
MAX_BATCH_RECORDS, MAX_BATCH_BYTES = 500, 4 * 1024 * 1024
_S3 = ("S3DestinationDescription", "ExtendedS3DestinationDescription")
_Key = tuple[str, str, str]

_deliveries: dict[_Key, Delivery] = {}
_readers: dict[_Key, KinesisReader] = {}


def readers(account: str | None) -> list[KinesisReader]:
    """Returns the readers of Kinesis streams of an account, or of all."""
    return [reader for key, reader in list(_readers.items()) if account in {None, key[0]}]


class PipeproofFirehoseProvider(FirehoseProvider):  # type: ignore[misc]
    """Puts into a delivery stream to S3 go into its buffer; all else is LocalStack's."""

    def create_delivery_stream(
        self, context: RequestContext, delivery_stream_name: str, delivery_stream_type: str | None = None, **options: Any
    ) -> CreateDeliveryStreamOutput:
        _verify(options)
        source = options.pop("kinesis_stream_source_configuration", None)
        # LocalStack would start Java for it.
        output = super().create_delivery_stream(context, delivery_stream_name, "DirectPut", **options)
        stream = self.get_store(context.account_id, context.region).delivery_streams[delivery_stream_name]
        stream["DeliveryStreamType"] = delivery_stream_type or "DirectPut"
        # LocalStack has a key with nothing in it where only the other kind of destination is given.
        for destination in stream["Destinations"]:
            for name in _S3:
                if not destination.get(name):
                    destination.pop(name, None)
        if not any(name in destination for destination in stream["Destinations"] for name in _S3):
            return output
        key = (context.account_id, context.region, delivery_stream_name)
        _deliveries[key] = Delivery(context.account_id, context.region, stream)
        if stream["DeliveryStreamType"] == "KinesisStreamAsSource":
            if source is None:
                raise InvalidArgumentException("KinesisStreamSourceConfiguration cannot be null for KinesisStreamAsSource")
            stream["Source"] = convert_source_config_to_desc(source)
            _readers[key] = KinesisReader(_deliveries[key], source["KinesisStreamARN"])
        return output

    def delete_delivery_stream(
        self, context: RequestContext, delivery_stream_name: str, **options: Any
    ) -> DeleteDeliveryStreamOutput:
        output = super().delete_delivery_stream(context, delivery_stream_name, **options)
        key = (context.account_id, context.region, delivery_stream_name)
        _readers.pop(key, None)
        if delivery := _deliveries.pop(key, None):
            delivery.close()
        return output

    def list_delivery_streams(
        self, context: RequestContext, limit: int | None = None, delivery_stream_type: str | None = None,
        exclusive_start_delivery_stream_name: str | None = None, **_: Any,
    ) -> ListDeliveryStreamsOutput:  # fmt: skip
        streams = self.get_store(context.account_id, context.region).delivery_streams
        names = sorted(name for name, stream in streams.items() if delivery_stream_type in {None, stream["DeliveryStreamType"]})
        names = [name for name in names if name > (exclusive_start_delivery_stream_name or "")]
        page = names[: limit or 10]
        return ListDeliveryStreamsOutput(DeliveryStreamNames=page, HasMoreDeliveryStreams=len(page) < len(names))

    def update_destination(
        self,
        context: RequestContext,
        delivery_stream_name: str,
        current_delivery_stream_version_id: str,
        destination_id: str,
        **options: Any,
    ) -> UpdateDestinationOutput:
        stream = self.get_store(context.account_id, context.region).delivery_streams.get(delivery_stream_name)
        if stream is not None:
            if stream["VersionId"] != current_delivery_stream_version_id:
                raise InvalidArgumentException(
                    f"The delivery stream's version is {stream['VersionId']}, not {current_delivery_stream_version_id}."
                )
            # An update changes what it names, and keeps the rest.
            for name in ("extended_s3_destination_update", "s3_destination_update"):
                if options.get(name):
                    options[name] = {
                        **_deliveries[context.account_id, context.region, delivery_stream_name].destination,
                        **options[name],
                    }
        output = super().update_destination(
            context, delivery_stream_name, current_delivery_stream_version_id, destination_id, **options
        )
        if stream is not None:
            stream["VersionId"] = str(int(stream["VersionId"]) + 1)
        return output

    def put_record(self, context: RequestContext, delivery_stream_name: str, record: Any, **options: Any) -> PutRecordOutput:
        delivery = self._delivery(context, delivery_stream_name)
        if delivery is None:
            return super().put_record(context, delivery_stream_name, record, **options)
        return PutRecordOutput(RecordId=_take(delivery, [record])[0], Encrypted=False)

    def put_record_batch(
        self, context: RequestContext, delivery_stream_name: str, records: list[Any], **options: Any
    ) -> PutRecordBatchOutput:
        delivery = self._delivery(context, delivery_stream_name)
        if delivery is None:
            return super().put_record_batch(context, delivery_stream_name, records, **options)
        ids = _take(delivery, records)
        return PutRecordBatchOutput(FailedPutCount=0, Encrypted=False, RequestResponses=[{"RecordId": one} for one in ids])

    def _delivery(self, context: RequestContext, name: str) -> Delivery | None:
        stream = self.get_store(context.account_id, context.region).delivery_streams.get(name)
        if stream is None:
            raise ResourceNotFoundException(f"Firehose {name} under account {context.account_id} not found.")
        if stream["DeliveryStreamType"] == "KinesisStreamAsSource":
            raise InvalidArgumentException("This operation is not permitted on KinesisStreamAsSource delivery stream type.")
        return _deliveries.get((context.account_id, context.region, name))


def _take(delivery: Delivery, records: list[Any]) -> list[str]:
    if not 1 <= len(records) <= MAX_BATCH_RECORDS:
        raise InvalidArgumentException(
            f"1 validation error detected: Value at 'records' must have between 1 and {MAX_BATCH_RECORDS} members"
        )
    sizes = [len(record["Data"]) for record in records]
    if max(sizes) > MAX_RECORD_BYTES:
        raise InvalidArgumentException(
            f"1 validation error detected: Value at 'record.data' must have at most {MAX_RECORD_BYTES} bytes"
        )
    if sum(sizes) > MAX_BATCH_BYTES:
        raise InvalidArgumentException(f"Records size exceeds 4 MB limit (it is {sum(sizes)} bytes)")
    taken = [Incoming(new_id(), bytes(record["Data"]), time.time()) for record in records]
    delivery.take(taken)
    return [one.record_id for one in taken]


def _verify(options: dict[str, Any]) -> None:
    """Raises InvalidArgumentException for a destination that Firehose refuses."""
    configuration = options.get("extended_s3_destination_configuration") or options.get("s3_destination_configuration")
    if not configuration:
        return
    hints = configuration.get("BufferingHints") or {}
    if not 0 <= hints.get("IntervalInSeconds", 0) <= 900 or not 1 <= hints.get("SizeInMBs", 1) <= 128:
        raise InvalidArgumentException("BufferingHints: IntervalInSeconds must be 0 to 900, SizeInMBs 1 to 128")
    try:
        prefix.verify(configuration.get("Prefix") or "", configuration.get("ErrorOutputPrefix") or "")
    except prefix.BadPrefixError as error:
        raise InvalidArgumentException(str(error)) from error
    partitioned = (configuration.get("DynamicPartitioningConfiguration") or {}).get("Enabled")
    uses_keys = any(namespace.startswith("partitionKey") for namespace, _ in prefix.names(configuration.get("Prefix") or ""))
    if uses_keys and not partitioned:
        raise InvalidArgumentException("S3 Prefix should only contain partition keys when Dynamic Partitioning is enabled")
    if partitioned and hints.get("SizeInMBs", 64) < 64:
        raise InvalidArgumentException("BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled")
