"""Records that the scenario describes by their fields, as single events or as files of NDJSON, CSV or JSON."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from harness.accounting.record import Record
from harness.parts import registry
from harness.parts.expressions import Filter, compiled
from harness.parts.formats.csv_format import CSV_FILE_FAULTS, CsvFormat
from harness.parts.formats.fields import (
    AnyField,
    ComputedField,
    ListField,
    LookupField,
    NestedField,
    PlainField,
)
from harness.parts.formats.file_set import FileSet, Malformed, check_rivals, refuse_files
from harness.parts.formats.json_format import JSON_FILE_FAULTS, JsonFormat
from harness.parts.formats.ndjson_format import NDJSON_FILE_FAULTS, NdjsonFormat
from harness.parts.formats.typed_malformers import csv_malformers, json_malformers
from harness.parts.part import Files, NotEmpty, Part, Records, Share
from harness.parts.ports import COPY, DUPLICATE, LATE, Load, Source, SourceContext
from harness.parts.sources.described import UNWANTED, Described

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.accounting.verdict import Account
    from harness.parts.formats.file_set import Format
    from harness.parts.ports import Malformer

_FILE_FAULTS = {"csv": CSV_FILE_FAULTS, "json": JSON_FILE_FAULTS, "ndjson": NDJSON_FILE_FAULTS, "events": ()}
_GUESSED = "(source.guessed): write the fields as they are, or draft the scenario with --sample FILE"
_IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_ .-]*$"


class LookupRows(Part):
    """What the pipeline looks up: `records` rows with `fields`, of which `key` is drawn by a field of type `lookup`. With `records: each` there
    is one row for each record, with the record's value of the field `key`."""

    # Held in memory, each by its key.
    records: Annotated[int, Field(gt=0, le=1_000_000)] | Literal["each"] = 100
    key: str
    fields: Annotated[dict[Annotated[str, Field(pattern=_IDENTIFIER)], PlainField], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_its_key(self) -> Self:
        if (self.key in self.fields) == (self.records == "each"):
            where = "comes from the record, it cannot be" if self.records == "each" else "is not"
            raise ValueError(f"key: {self.key} {where} among the fields {', '.join(self.fields)}")
        unique = [name for name, field in self.fields.items() if _has_unique(field)]
        if unique and self.records == "each":
            raise ValueError(f"fields: {', '.join(unique)} cannot be unique: a row of a record's own follows from its key alone")
        return self


class MalformedSynthetic(Malformed):
    """Spoils a share of the records. Which kinds there are follows from the fields' types; without `kinds` all of them are used."""

    kinds: tuple[str, ...] = ()


class Synthetic(Source):
    """`records` records with `fields`; `id` names the fields that make a record's id, `key` the field with its partition key.

    A record promises its own fields, but for those in `drop`, and what `promise` adds: a template with expressions such as
    `{{ unit_price * units }}`, or a function `./transforms.py:expected` that returns all that is promised (None: nothing may be stored).
    Expressions see the record's fields, and `lookup`, the row that its lookup field names. Where the expression `filtered` is true, a rule of the
    pipeline drops the record, and it must be seen nowhere. `rivals` is the share of a file's records that stand in the next file too: the
    pipeline stores one of the two, whichever it takes first, and gives the other up.

    A JSON file is `{"<list_key>": [record, …]}`, or the list itself where `list_key` is null.

    Some records have values from the edges of what their fields allow, and are written in another way (harness/parts/variety.py); files too. With
    `vary: false` there are none. `guessed` marks fields that somebody guessed: if the pipeline stores none of the
    records, or gives some up, it may have refused them rightly, and the verdict is unknown."""

    arrival_faults: ClassVar[tuple[str, ...]] = (DUPLICATE, COPY, LATE)

    records: Records
    format: Literal["events", "ndjson", "csv", "json"] = "events"
    files: Files = 1
    list_key: str | None = "records"
    name: str = "records"
    prefix: str = "input/"
    id: str | Annotated[tuple[str, ...], NotEmpty]
    key: str | None = None
    fields: Annotated[dict[Annotated[str, Field(pattern=_IDENTIFIER)], AnyField], Field(min_length=1)]
    lookup: LookupRows | None = None
    malformed: MalformedSynthetic | None = None
    file_faults: tuple[str, ...] = ()
    rivals: Share = 0.0
    promise: dict[str, Any] | str = Field(default={})
    drop: tuple[str, ...] = ()
    filtered: Filter | None = None
    vary: bool = True
    guessed: bool = False

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
    def _looks_up(self) -> Self:
        drawn = self.lookup is not None and self.lookup.records != "each"
        if any(isinstance(field, LookupField) for field in self.fields.values()) != drawn:
            raise ValueError("lookup: needs a field of type lookup, and such a field needs lookup")
        if self.lookup is not None and not drawn and self.lookup.key not in self.fields:
            raise ValueError(f"lookup.key: no field is called {self.lookup.key}; there is {', '.join(self.fields)}")
        if self.lookup is not None and not drawn and not _is_key(self.fields[self.lookup.key]):
            raise ValueError(f"lookup.key: {self.lookup.key} can be no key: it is computed, a list, a mapping, null or empty")
        return self

    @model_validator(mode="after")
    def _names_fields(self) -> Self:
        ids = (self.id,) if isinstance(self.id, str) else self.id
        for where, names in (("id", ids), ("key", (self.key,) if self.key else ()), ("drop", self.drop)):
            unknown = [name for name in names if name not in self.fields]
            if unknown:
                raise ValueError(f"{where}: no field is called {', '.join(unknown)}; there is {', '.join(self.fields)}")
        if "list_key" in self.model_fields_set and self.format != "json":
            raise ValueError(f"list_key: {self.format} has no list; it belongs to format: json")
        if len(self.file_faults) > self.files:
            raise ValueError(f"file_faults: {len(self.file_faults)} faults for {self.files} files")
        check_rivals(self.rivals, 1 if self.format == "events" else self.files, self.file_faults)
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
            form = JsonFormat(self.list_key, self.malformers)
        files = FileSet(
            form, described.entries, context.seed, many, self.files, malformed, self.file_faults, self.name, self.prefix,
            variety=described.variety, rivals=self.rivals, varies=self.vary,
        )  # fmt: skip
        if self.format == "events":
            events = SyntheticEvents(files, described)
            return EventsWithLookup(files, described) if self.lookup else events
        return FilesWithLookup(**vars(files), described=described) if self.lookup else files

    def doubts(self, account: Account) -> Iterator[str]:
        """Yields a reason if the pipeline may have rightly refused guessed records."""
        given_up = account.anomalies["misrouted"]
        if self.guessed and account.ingress.offered and not account.healthy_stored:
            yield f"none of the {account.ingress.offered:,} records was stored, and the pipeline may have refused them rightly: their fields are guesses {_GUESSED}"
        elif self.guessed and given_up:
            yield f"{given_up:,} records were given up, and the pipeline may have done so rightly: their fields are guesses {_GUESSED}"


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
            rule = None if kind else described.rule(texts)
            promised = None if kind or rule else described.promised_bytes(texts, payload)
            offered = malformers[kind](payload, random.Random(f"{seed}/{index}")) if kind else payload
            malformed = kind or (None if promised is not None or rule else UNWANTED)
            classes = draft.varied[index].labels if index in draft.varied else ()
            yield Record(described.id_of(texts), offered, promised, malformed, described.key_of(texts), classes, rule)


@dataclass(frozen=True)
class EventsWithLookup(SyntheticEvents):
    """Single events with what is looked up for them."""

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """Yields the lookup rows."""
        yield from self.described.all_lookup_rows(self.files)


@dataclass(frozen=True, kw_only=True)
class FilesWithLookup(FileSet):
    """Files with what is looked up for their records."""

    described: Described

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """Yields the lookup rows."""
        yield from self.described.all_lookup_rows(self)


def _has_unique(field: Any) -> bool:
    """Returns whether a field draws what no other record has, or one within it does."""
    match field:
        case NestedField():
            return any(map(_has_unique, field.fields.values()))
        case ListField():
            return _has_unique(field.of)
    return bool(getattr(field, "unique", False))


def _is_key(field: Any) -> bool:
    """Returns whether all values of a field can be the key of an item."""
    return not (isinstance(field, NestedField | ListField | ComputedField) or field.null or "" in getattr(field, "of", ()))


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
