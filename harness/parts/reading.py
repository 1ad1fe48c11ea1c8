"""Readings: how a probe finds a record's id, payload, reason and time in any document, by JMESPath.

An expression reads the document: a line of NDJSON, a row, an item, the JSON body of a message. One that begins with `$` reads what stands
around it: `$object.key`, `$object.metadata.NAME`, `$object.body` of an S3 object, and `$row`, its line or row as it stands there; `$message.body`, `$message.attributes.NAME` of a message.
`upload(key, version)` makes the id of an upload from an object's key and version, as the ledger has it; `location(bucket, key, version)` the
place of an object. `notified_upload` and `notified_location` take the key of a notification, which is encoded as in a form.
"""

from __future__ import annotations

import base64
import fnmatch
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import unquote_plus

import jmespath
from botocore.exceptions import ClientError, ParamValidationError
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions, signature
from pydantic import AfterValidator, Field, ValidationInfo, model_validator
from pydantic_core import to_json

from harness.accounting.record import Observation, Outcome, identifier, payload_hash, upload_id
from harness.parts.expressions import ExpressionError, compiled
from harness.parts.part import NotEmpty, Part, Pattern
from harness.parts.presets import preset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.emulator.clients import Clients


class _Functions(Functions):  # type: ignore[misc]
    @signature({"types": ["string"]}, {"types": ["string", "null"]})  # type: ignore[untyped-decorator]
    def _func_upload(self, key: str, version: str | None) -> str:
        return upload_id(key, version)

    @signature({"types": ["string"]}, {"types": ["string", "null"]})  # type: ignore[untyped-decorator]
    def _func_notified_upload(self, key: str, version: str | None) -> str:
        return upload_id(unquote_plus(key), version)

    @signature({"types": ["string"]}, {"types": ["string"]}, {"types": ["string", "null"]})  # type: ignore[untyped-decorator]
    def _func_location(self, bucket: str, key: str, version: str | None) -> str:
        return f"s3://{bucket}/{key}" + (f"?versionId={version}" if version else "")

    @signature({"types": ["string"]}, {"types": ["string"]}, {"types": ["string", "null"]})  # type: ignore[untyped-decorator]
    def _func_notified_location(self, bucket: str, key: str, version: str | None) -> str:
        location: str = self._func_location(bucket, unquote_plus(key), version)
        return location


_OPTIONS = jmespath.Options(custom_functions=_Functions())


def _compiles(expression: str) -> str:
    try:
        jmespath.compile(expression.removeprefix("$"))
    except JMESPathError as error:
        raise ValueError(f"{expression!r} is not a JMESPath expression: {str(error).splitlines()[0]}") from None
    return expression


Expression = Annotated[str, AfterValidator(_compiles)]
"""JMESPath (https://jmespath.org/specification.html), over the document, or with `$` over what stands around it."""


def _is_template(text: str) -> str:
    compiled(text)
    return text


class Reading(Part):
    """Where a record's parts are in a document.

    `each` finds several records in one document. `id` may be a list of expressions, joined by a slash. `shard` and `sequence` say exactly
    which record it is: shard and sequence number of a stream, or upload and line of a file. `payload` is the record as it was offered
    (or the whole file, where the reading is about one), or `payload_location` names the object with it (s3://bucket/key): a record that is
    given up counts as kept where these are the bytes that were offered. `keeps_payload: false` says that a place keeps no bytes, and that
    to be named there is enough. `place` is where a stored record must be: a pattern with `*`, and {{ expressions }} over the document. `time` is when the record got there (ISO 8601, or seconds since the
    epoch). `reason` says why it was given up. `requires` maps expressions to regular expressions: what the document must say beside the record, such as when
    and by whom it was given up; the whole text has to match. `fields` maps promised names to where the stored document has them; of a record that is given up they
    are kept for the checks. `preset` gives defaults
    for all of these: the name of a shape that AWS writes, or a YAML file beside the scenario."""

    outcome: Literal["stored", "dead_lettered", "alerted"] = "stored"
    each: Expression | None = None
    id: Expression | Annotated[tuple[Expression, ...], NotEmpty] | None = None
    shard: Expression | None = None
    sequence: Expression | None = None
    payload: Expression | None = None
    payload_encoding: Literal["text", "base64"] = "text"
    payload_location: Expression | None = None
    keeps_payload: bool = True
    place: Annotated[str, AfterValidator(_is_template)] | None = None
    time: Expression | None = None
    reason: Expression | None = None
    requires: dict[Expression, Pattern] = Field(default={})
    fields: dict[str, Expression] = Field(default={})
    preset: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, document: Any, info: ValidationInfo) -> Any:
        if not isinstance(document, dict) or not isinstance(name := document.get("preset"), str):
            return document
        given = {key: value for key, value in document.items() if key != "preset"}
        return {**preset(name, (info.context or {}).get("directory")), **given}

    @property
    def ids(self) -> tuple[str, ...]:
        """Returns the expressions that make a record's id."""
        return (self.id,) if isinstance(self.id, str) else self.id or ()

    def reads(self, name: str) -> bool:
        """Returns whether any expression reads this part of what stands around the document, such as `$object.body`."""
        given = (
            self.each,
            *self.ids,
            self.shard,
            self.sequence,
            self.payload,
            self.payload_location,
            self.time,
            self.reason,
            *self.requires,
            *self.fields.values(),
        )
        return any(name in expression for expression in given if expression)


def _search(expression: str | None) -> Callable[[Any, dict[str, Any]], Any]:
    """Returns a function of a document and what stands around it."""
    if expression is None:
        return lambda _document, _around: None
    compiled = jmespath.compile(expression.removeprefix("$"))
    if expression.startswith("$"):
        return lambda _document, around: _found(compiled, around)
    if expression.isidentifier():
        # A field by its name: ten times as fast as JMESPath's interpreter.
        return lambda document, _around: document.get(expression) if isinstance(document, dict) else None
    return lambda document, _around: _found(compiled, document)


def _found(compiled: Any, document: Any) -> Any:
    try:
        return compiled.search(document, options=_OPTIONS)
    except JMESPathError:
        # The document has something else there than the expression expects: nothing is found.
        return None


_REASON_CHARACTERS = 500
# Of the year 9999.
_LAST_SECOND = 253_402_300_800


@dataclass(frozen=True, slots=True)
class Seen:
    """A document with what stands around it. `content` are its bytes where a probe has them; `position` counts where an order matters;
    `put_at` is what the ledger calls this document where the load itself has put it."""

    document: Any
    place: str
    around: dict[str, Any]
    content: bytes | None = None
    seen_at_ms: int | None = None
    position: int | None = None
    put_at: str | None = None


class Reader:
    """A reading, compiled."""

    def __init__(self, reading: Reading, clients: Clients) -> None:
        self._reading = reading
        self._clients = clients
        self._outcome = Outcome(reading.outcome)
        self._each = _search(reading.each)
        self._ids = [_search(expression) for expression in reading.ids]
        self._shard = _search(reading.shard)
        self._sequence = _search(reading.sequence)
        self._payload = _search(reading.payload)
        self._location = _search(reading.payload_location)
        self._time = _search(reading.time)
        self._reason = _search(reading.reason)
        self._requires = [(name, _search(name), re.compile(pattern, re.DOTALL)) for name, pattern in reading.requires.items()]
        self._fields = {name: _search(expression) for name, expression in reading.fields.items()}
        self._kept = reading.payload is not None or reading.payload_location is not None

    def sightings(self, seen: Seen) -> Iterator[Observation]:
        """Yields one observation per record that the document names; none where `each` finds none."""
        if self._reading.each is None:
            yield self._sighting(seen.document, seen)
            return
        found = self._each(seen.document, seen.around)
        for item in found if isinstance(found, list) else ():
            yield self._sighting(item, seen)

    def unidentified(self, seen: Seen) -> Observation:
        """Returns a sighting that no record can claim: a phantom."""
        content = to_json(seen.document, bytes_mode="base64", fallback=str) if seen.content is None else seen.content
        return Observation(
            self._outcome, seen.place, seen_at_ms=seen.seen_at_ms, content=content, position=seen.position, put_at=seen.put_at
        )

    def _sighting(self, item: Any, seen: Seen) -> Observation:
        around = seen.around
        record_id = self._id(item, around)
        shard, sequence = identifier(self._shard(item, around)), identifier(self._sequence(item, around))
        if sequence is None and self._reading.sequence is not None:
            # The place is not there: the sighting must not count for all records of the upload.
            sequence = "none"
        payload = self._kept_payload(item, around) if self._kept else None
        if sequence is None and record_id is None and payload is None and (self._ids or self._reading.payload):
            # An upload without what should say which of its records it is must not count for all of them.
            shard = None
        return Observation(
            self._outcome,
            seen.place,
            record_id,
            shard,
            sequence,
            None if payload is None else payload_hash(payload),
            _milliseconds(self._time(item, around)) if self._reading.time else seen.seen_at_ms,
            self._content(item, seen, payload),
            seen.position,
            self._reading.keeps_payload,
            seen.put_at,
            self._why(item, around),
            self._misplaced(item, seen),
            self._incomplete(item, around),
        )

    def _id(self, item: Any, around: dict[str, Any]) -> str | None:
        if len(self._ids) == 1:
            return identifier(self._ids[0](item, around))
        parts = [identifier(search(item, around)) for search in self._ids]
        return "/".join(part for part in parts if part is not None) if parts and None not in parts else None

    def _misplaced(self, item: Any, seen: Seen) -> str | None:
        """Returns the pattern of the place where the record must be, if that is another one."""
        template = self._reading.place
        if template is None or self._outcome is not Outcome.STORED:
            return None
        try:
            pattern = str(compiled(template)(item if isinstance(item, dict) else {})) if "{{" in template else template
        except ExpressionError as error:
            return str(error)
        return None if fnmatch.fnmatchcase(seen.place, pattern) else pattern

    def _incomplete(self, item: Any, around: dict[str, Any]) -> str | None:
        """Returns which required expression finds nothing, or finds another text than its pattern; None where all match."""
        for name, search, pattern in self._requires:
            value = search(item, around)
            text = value if isinstance(value, str) else to_json(value, bytes_mode="base64", fallback=str).decode()
            if value is None or pattern.fullmatch(text) is None:
                found = "is not there" if value is None else f"is {text[:_REASON_CHARACTERS]!r}"
                return f"{name} {found}: expected {pattern.pattern}"
        return None

    def _why(self, item: Any, around: dict[str, Any]) -> str | None:
        reason = self._reason(item, around)
        return None if reason is None else str(reason)[:_REASON_CHARACTERS]

    def _content(self, item: Any, seen: Seen, payload: bytes | None) -> bytes | None:
        stored = self._outcome is Outcome.STORED
        if self._fields:
            # What an expression does not find is left out: it must not pass for a null that was promised.
            mapped = {name: value for name, search in self._fields.items() if (value := search(item, seen.around)) is not None}
            return to_json({**(item if stored and isinstance(item, dict) else {}), **mapped}, bytes_mode="base64", fallback=str)
        if not stored:
            return None
        if payload is not None:
            return payload
        if seen.content is not None and item is seen.document:
            return seen.content
        return to_json(item, bytes_mode="base64", fallback=str)

    def _kept_payload(self, item: Any, around: dict[str, Any]) -> bytes | None:
        """Returns the record's bytes, None where they are not there."""
        location = self._location(item, around)
        if isinstance(location, str) and location:
            try:
                body: bytes = self._clients("s3").get_object(**_object(location))["Body"].read()
            except ParamValidationError:
                # What stands there is the name of no object.
                return None
            except ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in {403, 404}:
                    return None
                raise
            return body
        value = self._payload(item, around)
        if value is None or isinstance(value, bytes):
            return value
        if not isinstance(value, str):
            return to_json(value, bytes_mode="base64", fallback=str)
        try:
            return base64.b64decode(value, validate=True) if self._reading.payload_encoding == "base64" else value.encode()
        except ValueError:
            return None


def _object(location: str) -> dict[str, str]:
    """Returns the arguments of GetObject for s3://bucket/key, with ?versionId=… or without."""
    bucket, _, rest = location.removeprefix("s3://").partition("/")
    key, separator, version = rest.rpartition("?versionId=")
    return {"Bucket": bucket, "Key": key, "VersionId": version} if separator else {"Bucket": bucket, "Key": rest}


def _milliseconds(value: Any) -> int | None:
    """Returns ISO 8601 or seconds since the epoch as milliseconds, None for anything else."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(value * 1000) if abs(value) < _LAST_SECOND else None
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    except (TypeError, ValueError, OverflowError):
        return None
