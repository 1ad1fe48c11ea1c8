"""What a stack finds in place before the load: `setup` in a scenario."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from harness.parts.part import Beside, NotEmpty, Part

_MOST_ITEMS = 10_000


class ItemsPart(Part):
    """Items of a DynamoDB table, written here or in a `file`: CSV (all values are text), JSON (a list of objects) or JSON lines."""

    table: str
    items: tuple[dict[str, Any], ...] = Field(default=(), max_length=_MOST_ITEMS)
    file: Beside | None = None

    @model_validator(mode="after")
    def _has_some(self) -> Self:
        if bool(self.items) == (self.file is not None):
            raise ValueError("expected either items or file")
        return self


class ObjectPart(Part):
    """An object of a bucket: the bytes of a `file`, or `content` as text."""

    bucket: str
    key: Annotated[str, Field(min_length=1, max_length=1024)]
    content: str | None = None
    file: Beside | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.content is None) == (self.file is None):
            raise ValueError("expected either content or file")
        return self


class SecretPart(Part):
    """A secret of Secrets Manager: `value` as text, or what a `file` has."""

    value: str | None = None
    file: Beside | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.value is None) == (self.file is None):
            raise ValueError("expected either value or file")
        return self


class SetupPart(Part):
    """Parameters of Systems Manager, secrets and verified identities of SES are put before the stack is deployed, since a template may refer to them; items and
    objects after it, since they are in tables and buckets of the stack. No probe takes what is put here for a record."""

    parameters: dict[Annotated[str, NotEmpty], str] = Field(default={})
    secrets: dict[Annotated[str, NotEmpty], SecretPart] = Field(default={})
    identities: tuple[str, ...] = ()
    items: tuple[ItemsPart, ...] = ()
    objects: tuple[ObjectPart, ...] = ()
