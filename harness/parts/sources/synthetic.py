"""Records that the scenario describes by their fields, as single events or as files of NDJSON, CSV or JSON."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import from_json, to_json

from harness.accounting.record import Record
from harness.parts import registry
from harness.parts.expressions import compiled, filled, plain, written_value
from harness.parts.formats.csv_format import CSV_FILE_FAULTS, CsvFormat
from harness.parts.formats.drawing import Drawing
from harness.parts.formats.fields import (
    AnyField,
    ComputedField,
    LookupField,
    PlainField,
    drawn,
    edges_of,
    value_of,
)
from harness.parts.formats.file_set import Draft, Entry, FileSet, Malformed, refuse_files
from harness.parts.formats.json_format import JSON_FILE_FAULTS, JsonFormat
from harness.parts.formats.ndjson_format import NDJSON_FILE_FAULTS, NdjsonFormat
from harness.parts.formats.typed_malformers import csv_malformers, json_malformers
from harness.parts.part import Files, NotEmpty, Part, Records
from harness.parts.ports import DUPLICATE, LATE, Load, Source, SourceContext
from harness.parts.variety import Dimensions, Variety

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.parts.formats.file_set import Format
    from harness.parts.ports import Malformer

_FILE_FAULTS = {"csv": CSV_FILE_FAULTS, "json": JSON_FILE_FAULTS, "ndjson": NDJSON_FILE_FAULTS, "events": ()}
# So many records show whether the expressions have values.
_TRIED = 200
UNWANTED = "not to be stored"
"""What is wrong with a record of which the promise says that nothing may be stored."""

_IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_ .-]*$"


class LookupRows(Part):
    """What the pipeline looks up: `records` rows with `fields`, of which `key` is drawn by a field of type `lookup`."""

    # Held in memory, each by its key.
    records: Annotated[int, Field(gt=0, le=1_000_000)] = 100
    key: str
    fields: Annotated[dict[Annotated[str, Field(pattern=_IDENTIFIER)], PlainField], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_its_key(self) -> Self:
        if self.key not in self.fields:
            raise ValueError(f"key: {self.key} is not among the fields {', '.join(self.fields)}")
        return self


class MalformedSynthetic(Malformed):
    """Spoils a share of the records. Which kinds there are follows from the fields' types; without `kinds` all of them are used."""

    kinds: tuple[str, ...] = ()


class Synthetic(Source):
    """`records` records with `fields`; `id` names the fields that make a record's id, `key` the field with its partition key.

    A record promises its own fields, but for those in `drop`, and what `promise` adds: a template with expressions such as
    `{{ unit_price * units }}`, or a function `./transforms.py:expected` that returns all that is promised (None: nothing may be stored).
    Expressions see the record's fields, and `lookup`, the row that its lookup field names.

    Some records have values from the edges of what their fields allow, and are written in another way (harness/parts/variety.py); with
    `vary: false` there are none."""

    arrival_faults: ClassVar[tuple[str, ...]] = (DUPLICATE, LATE)

    records: Records
    format: Literal["events", "ndjson", "csv", "json"] = "events"
    files: Files = 1
    name: str = "records"
    prefix: str = "input/"
    id: str | Annotated[tuple[str, ...], NotEmpty]
    key: str | None = None
    fields: Annotated[dict[Annotated[str, Field(pattern=_IDENTIFIER)], AnyField], Field(min_length=1)]
    lookup: LookupRows | None = None
    malformed: MalformedSynthetic | None = None
    file_faults: tuple[str, ...] = ()
    promise: dict[str, Any] | str = Field(default={})
    drop: tuple[str, ...] = ()
    vary: bool = True

    @field_validator("promise")
    @classmethod
    def _can_be_kept(cls, promise: dict[str, Any] | str, info: ValidationInfo) -> dict[str, Any] | str:
        if isinstance(promise, str):
            file, separator, function = promise.rpartition(":")
            directory: Path | None = (info.context or {}).get("directory")
            where = str((directory / file).resolve()) if directory and separator else file
            try:
                found = getattr(registry.load_module(Path(where)), function, None) if separator else None
            except registry.NoSuchPartError as error:
                raise ValueError(str(error)) from None
            if not callable(found):
                raise ValueError(f"{promise!r} names no function: expected a file and a function, such as ./transforms.py:expected")  # noqa: TRY004
            return f"{where}:{function}"
        for template in _strings(promise):
            compiled(template)
        return promise

    @model_validator(mode="after")
    def _names_fields(self) -> Self:
        ids = (self.id,) if isinstance(self.id, str) else self.id
        for where, names in (("id", ids), ("key", (self.key,) if self.key else ()), ("drop", self.drop)):
            unknown = [name for name in names if name not in self.fields]
            if unknown:
                raise ValueError(f"{where}: no field is called {', '.join(unknown)}; there is {', '.join(self.fields)}")
        if any(isinstance(field, LookupField) for field in self.fields.values()) != (self.lookup is not None):
            raise ValueError("lookup: needs a field of type lookup, and such a field needs lookup")
        if len(self.file_faults) > self.files:
            raise ValueError(f"file_faults: {len(self.file_faults)} faults for {self.files} files")
        for fault in self.file_faults:
            if fault not in _FILE_FAULTS[self.format]:
                raise ValueError(
                    f"file_faults: {fault!r} is none of {', '.join(_FILE_FAULTS[self.format]) or 'those of events: none'}"
                )
        for kind in self.malformed.kinds if self.malformed else ():
            if kind not in self.malformers:
                raise ValueError(f"malformed.kinds: {kind!r} is none of {', '.join(self.malformers)}")
        return self

    @property
    def malformers(self) -> Mapping[str, Malformer]:
        types = {name: str(field.type) for name, field in self.fields.items()}
        required = tuple(name for name, field in self.fields.items() if not field.null and field.type != "computed")
        return csv_malformers(types, required) if self.format == "csv" else json_malformers(types, required)

    def open(self, context: SourceContext) -> Load:
        """Returns the records. Raises UsageError for --input and --lookup."""
        refuse_files(context)
        many = context.records or self.records
        malformed = self.malformed and Malformed(share=self.malformed.share, kinds=self.malformed.kinds or tuple(self.malformers))
        described = Described(self, context.seed)
        described.check()
        form: Format = NdjsonFormat(self.malformers)
        if self.format == "csv":
            form = CsvFormat(tuple(self.fields), self.malformers)
        elif self.format == "json":
            form = JsonFormat("records", self.malformers)
        files = FileSet(
            form, described.entries, context.seed, many, self.files, malformed, self.file_faults, self.name, self.prefix,
            variety=described.variety,
        )  # fmt: skip
        if self.format == "events":
            events = SyntheticEvents(files, described)
            return EventsWithLookup(files, described) if self.lookup else events
        return FilesWithLookup(**vars(files), described=described) if self.lookup else files


class Described:
    """Draws the records of one source and seed."""

    def __init__(self, source: Synthetic, seed: int) -> None:
        self._source = source
        self._seed = seed
        places = {name: place for place, name in enumerate(source.fields)}
        self._id_places = [places[name] for name in ((source.id,) if isinstance(source.id, str) else source.id)]
        self._key_place = None if source.key is None else places[source.key]
        self._lookup_place = next((places[name] for name, field in source.fields.items() if isinstance(field, LookupField)), None)
        self._function = _function(source.promise) if isinstance(source.promise, str) else None
        self._evaluates = bool(source.promise) or bool(source.drop)

    @cached_property
    def lookup_rows(self) -> dict[str, dict[str, str]]:
        """Returns the lookup rows by their key; all values are text."""
        lookup = self._source.lookup
        if lookup is None:
            return {}
        drawing = Drawing(random.Random(f"{self._seed}/lookup"), self._seed)
        draws = {name: drawn(field, drawing) for name, field in lookup.fields.items()}
        rows = ({name: _cell(draw()) for name, draw in draws.items()} for _ in range(lookup.records))
        return {row[lookup.key]: row for row in rows}

    @cached_property
    def variety(self) -> Variety:
        """Returns the classes of the fields, and of how a record is written."""
        if not self._source.vary:
            return Variety({})
        drawing = Drawing(random.Random(f"{self._seed}/classes"), self._seed)
        ids = (self._source.id,) if isinstance(self._source.id, str) else self._source.id
        # Two records must not get one id: a drawn UUID stays one in upper case.
        of_ids = {
            name: field.edges(drawing) if field.type == "uuid" else {} for name, field in self._source.fields.items() if name in ids
        }
        edges = {name: edges_of(field, drawing) for name, field in self._source.fields.items()} | of_ids
        # No class of a field has the name of the ordinary one.
        classes = {f"field {name}": ("", *found) for name, found in edges.items() if found}
        return Variety({**classes, **({} if self._source.format == "csv" else _WRITTEN)})

    def check(self) -> None:
        """Raises UsageError where an expression has no value for one of the first records."""
        # The first rows have all classes: an expression that has no value for one of them would end the load.
        varied = dict(enumerate(self.variety.rows[:_TRIED])) if self.variety.dimensions else {}
        draft = Draft(self._seed, 0, 2 * _TRIED, random.Random(f"{self._seed}/check"), {}, varied)
        for _ in self.entries(draft):
            pass

    def entries(self, draft: Draft) -> Iterator[Entry]:
        """Yields the records of a file."""
        as_row = self._source.format == "csv"
        for index, (texts, payload) in enumerate(self.drawn(draft)):
            promised = self.promised(texts, payload)
            kind = draft.spoilt.get(index)
            values = [_cell(text) for text in texts] if as_row else payload
            yield Entry(self.id_of(texts), values, promised or {}, kind if promised is not None else kind or UNWANTED)

    def drawn(self, draft: Draft) -> Iterator[tuple[tuple[str, ...], bytes]]:
        """Yields each record's fields as JSON text, in their order, and the record as JSON."""
        drawing = Drawing(draft.rng, draft.seed)
        drawing.lookup_keys = list(self.lookup_rows)
        fields = self._source.fields
        # A computed field follows from those that are drawn, and from the computed ones before it.
        draws = [_nothing if isinstance(field, ComputedField) else drawn(field, drawing) for field in fields.values()]
        computed = [(place, field) for place, field in enumerate(fields.values()) if isinstance(field, ComputedField)]
        written = "{" + ",".join(f"{to_json(name).decode().replace('%', '%%')}:%s" for name in fields) + "}"
        edges = {name: edges_of(field, drawing) for name, field in fields.items()} if draft.varied else {}
        for index in range(draft.count):
            texts = tuple([draw() for draw in draws])
            row = draft.varied.get(index)
            if row is not None:
                of = {name: edges[name].get(row.classes.get(f"field {name}", "")) for name in fields}
                texts = tuple(edge() if (edge := of[name]) else text for name, text in zip(fields, texts, strict=True))
            for place, field in computed:
                value = written_value(field.value, self._values(texts))
                texts = (*texts[:place], value, *texts[place + 1 :])
            how = row.classes.get("record", "") if row else ""
            yield texts, (_written(tuple(fields), texts, how) if how else (written % texts).encode())

    def id_of(self, texts: tuple[str, ...]) -> str:
        """Returns a record's id."""
        places = self._id_places
        return _cell(texts[places[0]]) if len(places) == 1 else "/".join(_cell(texts[place]) for place in places)

    def key_of(self, texts: tuple[str, ...]) -> str:
        """Returns a record's partition key; empty where the source names none."""
        return "" if self._key_place is None else _cell(texts[self._key_place])

    def promised_bytes(self, texts: tuple[str, ...], payload: bytes) -> bytes | None:
        """Returns what is promised of an event, as JSON; None where it must not be stored."""
        if not self._evaluates:
            return payload
        promised = self.promised(texts, payload)
        return None if promised is None else to_json(promised)

    def promised(self, texts: tuple[str, ...], payload: bytes) -> dict[str, Any] | None:
        """Returns what is promised of a record; None where it must not be stored."""
        source = self._source
        own: dict[str, Any] = (
            dict(zip(source.fields, map(_cell, texts), strict=True)) if source.format == "csv" else from_json(payload)
        )
        if self._function is not None:
            return self._function(own)
        for name in dict.fromkeys(source.drop):
            own.pop(name)
        if source.promise:
            assert isinstance(source.promise, dict)
            own |= plain(filled(source.promise, self._values(texts)))
        return own

    def _values(self, texts: tuple[str, ...]) -> dict[str, Any]:
        """Returns what expressions see: a computed field only once it has a value."""
        fields = self._source.fields
        values = {name: value_of(field, text) for (name, field), text in zip(fields.items(), texts, strict=True) if text}
        if self._lookup_place is not None:
            values["lookup"] = self.lookup_rows.get(_cell(texts[self._lookup_place]), {})
        return values


@dataclass(frozen=True)
class SyntheticEvents:
    """Single events. They are drawn and spoilt as the records of one file."""

    files: FileSet
    described: Described

    @property
    def total(self) -> int:
        """Returns how many events there are."""
        return self.files.records

    @property
    def classes(self) -> tuple[str, ...]:
        """Returns the classes of the events, without those of files."""
        return tuple(one for one in self.files.classes if not one.startswith("file: "))

    def units(self) -> Iterator[Record]:
        """Yields the events."""
        draft, described = self.files.draft(0), self.described
        spoilt, malformers, seed = draft.spoilt, self.files.format.malformers, self.files.seed
        for index, (texts, payload) in enumerate(described.drawn(draft)):
            kind = spoilt.get(index)
            promised = None if kind else described.promised_bytes(texts, payload)
            offered = malformers[kind](payload, random.Random(f"{seed}/{index}")) if kind else payload
            malformed = kind or (None if promised is not None else UNWANTED)
            classes = draft.varied[index].labels if index in draft.varied else ()
            yield Record(described.id_of(texts), offered, promised, malformed, described.key_of(texts), classes)


@dataclass(frozen=True)
class EventsWithLookup(SyntheticEvents):
    """Single events with what is looked up for them."""

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """Yields the lookup rows."""
        yield from self.described.lookup_rows.values()


@dataclass(frozen=True, kw_only=True)
class FilesWithLookup(FileSet):
    """Files with what is looked up for their records."""

    described: Described

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """Yields the lookup rows."""
        yield from self.described.lookup_rows.values()


def _function(reference: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    file, _, name = reference.rpartition(":")
    found: Callable[[dict[str, Any]], dict[str, Any] | None] = getattr(registry.load_module(Path(file)), name)
    return found


_WRITTEN: Dimensions = {"record": ("compact", "with blanks", "in another order")}


def _written(names: tuple[str, ...], texts: tuple[str, ...], how: str) -> bytes:
    """Returns a record as JSON, on one line."""
    pairs = [
        f"{to_json(name).decode()}{': ' if how == 'with blanks' else ':'}{text}" for name, text in zip(names, texts, strict=True)
    ]
    if how == "in another order":
        pairs.reverse()
    return ("{ " + ", ".join(pairs) + " }" if how == "with blanks" else "{" + ",".join(pairs) + "}").encode()


def _nothing() -> str:
    return ""


def _strings(template: Any) -> Iterator[str]:
    match template:
        case dict():
            for inner in template.values():
                yield from _strings(inner)
        case list():
            for inner in template:
                yield from _strings(inner)
        case str() if "{{" in template:
            yield template


def _cell(text: str) -> str:
    """Returns JSON text as a cell of a CSV row."""
    if text[0] == '"':
        return text[1:-1] if "\\" not in text else str(from_json(text))
    return "" if text == "null" else text
