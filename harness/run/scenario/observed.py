"""Where records may end: the kinds of `probes`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.run.scenario.part import Part


class S3NdjsonPart(Part):
    kind: Literal["s3_ndjson"]
    bucket: str
    prefix: str = ""
    id_field: str
    time_field: str | None = None


class S3CsvPart(Part):
    """CSV objects; their rows have an order."""

    kind: Literal["s3_csv"]
    bucket: str
    prefix: str = ""
    id_fields: Annotated[tuple[str, ...], Field(min_length=1)]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","


class FailedFilesPart(Part):
    """Whole files that were set aside."""

    kind: Literal["failed_files"]
    bucket: str
    prefix: str


class DynamoDbPart(Part):
    """A DynamoDB table whose items are the stored records."""

    kind: Literal["dynamodb"]
    table: str
    id_fields: Annotated[tuple[str, ...], Field(min_length=1)]


class FailedRowObjectsPart(Part):
    """NDJSON objects of rows that could not be processed."""

    kind: Literal["failed_row_objects"]
    bucket: str
    prefix: str = ""


class FailedRowsPart(Part):
    """A DynamoDB table of rows that could not be processed."""

    kind: Literal["failed_rows"]
    table: str


class QueuePart(Part):
    """`dead_letters`: envelopes with the payload; `failed_batches`: a mapping's on-failure destination; `alerts`."""

    kind: Literal["dead_letters", "failed_batches", "alerts"]
    queue_url: str


ProbePart = Annotated[
    S3NdjsonPart | S3CsvPart | DynamoDbPart | FailedFilesPart | FailedRowsPart | FailedRowObjectsPart | QueuePart,
    Field(discriminator="kind"),
]
