"""The operations of DynamoDB on the Kinesis streams that a table has as destinations.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_EnableKinesisStreamingDestination.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from localstack.aws.api import CommonServiceException
from localstack.aws.api.dynamodb import (
    DescribeKinesisStreamingDestinationOutput,
    KinesisStreamingDestinationOutput,
    ResourceNotFoundException,
    UpdateKinesisStreamingDestinationOutput,
)
from moto.dynamodb.models import dynamodb_backends

from harness.inside.dynamodb.destinations import kinesis_of
from harness.inside.dynamodb.log import TableLog

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext


class _Destinations(dict[str, str | None]):
    """The destinations of a table: by the stream's ARN the precision of its times, or None for a disabled one.

    Moto copies its tables before a transaction and puts the copies in place if it fails. Both share the destinations."""

    def __deepcopy__(self, _memo: dict[int, Any]) -> _Destinations:
        return self


class KinesisDestinations:
    """Enables, disables, changes and describes the Kinesis streams of a table."""

    def enable_kinesis_streaming_destination(
        self,
        context: RequestContext,
        table_name: str,
        stream_arn: str,
        enable_kinesis_streaming_configuration: Any = None,
        **_: Any,
    ) -> KinesisStreamingDestinationOutput:
        table = _table(context, table_name)
        known = _destinations(table)
        if known.get(stream_arn) is not None:
            raise _invalid("Table is not in a valid state to enable Kinesis Streaming Destination: it is ACTIVE")
        if not _is_there(stream_arn):
            raise _invalid("User does not have a permission to use kinesis stream")
        configuration = enable_kinesis_streaming_configuration or {}
        known[stream_arn] = configuration.get("ApproximateCreationDateTimePrecision") or "MILLISECOND"
        if table.stream_shard is None:
            table.stream_shard = TableLog(context.account_id, table)
        return KinesisStreamingDestinationOutput(
            TableName=table_name,
            StreamArn=stream_arn,
            DestinationStatus="ENABLING",
            EnableKinesisStreamingConfiguration=configuration,
        )

    def disable_kinesis_streaming_destination(
        self, context: RequestContext, table_name: str, stream_arn: str, **_: Any
    ) -> KinesisStreamingDestinationOutput:
        _active(context, table_name, stream_arn)[stream_arn] = None
        return KinesisStreamingDestinationOutput(TableName=table_name, StreamArn=stream_arn, DestinationStatus="DISABLING")

    def update_kinesis_streaming_destination(
        self,
        context: RequestContext,
        table_name: str,
        stream_arn: str,
        update_kinesis_streaming_configuration: Any = None,
        **_: Any,
    ) -> UpdateKinesisStreamingDestinationOutput:
        configuration = update_kinesis_streaming_configuration or {}
        precision = configuration.get("ApproximateCreationDateTimePrecision")
        known = _active(context, table_name, stream_arn)
        if precision in {None, known[stream_arn]}:
            raise _invalid("Invalid Request: Precision is already set to the desired value")
        known[stream_arn] = precision
        return UpdateKinesisStreamingDestinationOutput(
            TableName=table_name,
            StreamArn=stream_arn,
            DestinationStatus="UPDATING",
            UpdateKinesisStreamingConfiguration=configuration,
        )

    def describe_kinesis_streaming_destination(
        self, context: RequestContext, table_name: str, **_: Any
    ) -> DescribeKinesisStreamingDestinationOutput:
        found = [
            {
                "StreamArn": arn,
                "DestinationStatus": "DISABLED" if precision is None else "ACTIVE",
                **({"ApproximateCreationDateTimePrecision": precision} if precision else {}),
            }
            for arn, precision in _destinations(_table(context, table_name)).items()
        ]
        return DescribeKinesisStreamingDestinationOutput(TableName=table_name, KinesisDataStreamDestinations=found)


def _is_there(arn: str) -> bool:
    try:
        kinesis_of(arn).describe_stream_summary(StreamARN=arn)
    except (ClientError, IndexError):
        return False
    return True


def _table(context: RequestContext, name: str) -> Any:
    name = name.rpartition("/")[2]
    tables = dynamodb_backends[context.account_id][context.region].tables
    if name not in tables:
        raise ResourceNotFoundException(f"Requested resource not found: Table: {name} not found")
    return tables[name]


def _destinations(table: Any) -> _Destinations:
    known: _Destinations = table.__dict__.setdefault("kinesis_destinations", _Destinations())
    return known


def _active(context: RequestContext, table_name: str, stream_arn: str) -> _Destinations:
    known = _destinations(_table(context, table_name))
    if known.get(stream_arn) is None:
        raise _invalid("Table is not in a valid state to change Kinesis Streaming Destination: it is not ACTIVE")
    return known


def _invalid(message: str) -> CommonServiceException:
    return CommonServiceException("ValidationException", message, status_code=400, sender_fault=True)
