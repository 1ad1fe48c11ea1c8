"""Where records go, and how fast: the kinds of `send`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from harness.run.scenario.part import Part


class StagePart(Part):
    records_per_s: PositiveFloat
    seconds: PositiveFloat


class UnlimitedPart(Part):
    shape: Literal["unlimited"] = "unlimited"


class ConstantPart(Part):
    shape: Literal["constant"]
    records_per_s: PositiveFloat


class StagesPart(Part):
    shape: Literal["stages"]
    stages: Annotated[tuple[StagePart, ...], Field(min_length=1)]


RatePart = Annotated[UnlimitedPart | ConstantPart | StagesPart, Field(discriminator="shape")]


class KinesisPart(Part):
    """PutRecords to a stream."""

    to: Literal["kinesis"]
    stream: str
    rate: RatePart = UnlimitedPart()


class ApiPart(Part):
    """One POST per record."""

    to: Literal["api"]
    url: str
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    rate: RatePart = UnlimitedPart()


class S3Part(Part):
    """One PutObject per file."""

    to: Literal["s3"]
    bucket: str


SendPart = Annotated[KinesisPart | ApiPart | S3Part, Field(discriminator="to")]
