"""Draws the records that a scenario describes by their fields."""

from __future__ import annotations

import random
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from harness.parts import registry
from harness.parts.expressions import compiled, filled, plain, written_value
from harness.parts.formats.drawing import Drawing
from harness.parts.formats.fields import ComputedField, LookupField, drawn, edges_of, value_of
from harness.parts.formats.file_set import Draft, Entry
from harness.parts.variety import Dimensions, Variety

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.parts.formats.drawing import Draw
    from harness.parts.formats.file_set import FileSet
    from harness.parts.sources.synthetic import LookupRows, Synthetic

# So many records show whether the expressions have values.
_TRIED = 200
UNWANTED = "not to be stored"
"""What is wrong with a record of which the promise says that nothing may be stored."""


class Described:
    """Draws the records of one source and seed."""

    def __init__(self, source: Synthetic, seed: int) -> None:
        self._source = source
        self._seed = seed
        places = {name: place for place, name in enumerate(source.fields)}
        self._id_places = [places[name] for name in ((source.id,) if isinstance(source.id, str) else source.id)]
        self._key_place = None if source.key is None else places[source.key]
        self._lookup_place = next((places[name] for name, field in source.fields.items() if isinstance(field, LookupField)), None)
        self._has_row_each = source.lookup is not None and source.lookup.records == "each"
        if source.lookup is not None and self._has_row_each:
            self._lookup_place = places[source.lookup.key]
        self._function = _function(source.promise) if isinstance(source.promise, str) else None
        self._evaluates = bool(source.promise) or bool(source.drop)

    @cached_property
    def lookup_rows(self) -> dict[str, dict[str, str]]:
        """Returns the lookup rows by their key; all values are text."""
        lookup = self._source.lookup
        if lookup is None or lookup.records == "each":
            return {}
        draws = self._lookup_draws
        rows = ({name: _cell(draw()) for name, draw in draws.items()} for _ in range(lookup.records))
        return {row[lookup.key]: row for row in rows}

    def all_lookup_rows(self, files: FileSet) -> Iterator[dict[str, str]]:
        """Yields the lookup rows; where each record has its own, those of the records of these files, each key once."""
        if not self._has_row_each:
            yield from self.lookup_rows.values()
            return
        seen: set[str] = set()
        for file in range(files.files):
            for texts, _ in self.drawn(files.draft(file)):
                row = self._lookup_row(texts)
                if (key := row[self._lookup.key]) not in seen:
                    seen.add(key)
                    yield row

    @property
    def _lookup(self) -> LookupRows:
        assert self._source.lookup is not None
        return self._source.lookup

    @cached_property
    def _lookup_rng(self) -> random.Random:
        return random.Random(f"{self._seed}/lookup")

    @cached_property
    def _lookup_draws(self) -> dict[str, Draw]:
        drawing = Drawing(self._lookup_rng, self._seed)
        return {name: drawn(field, drawing) for name, field in self._lookup.fields.items()}

    def _lookup_row(self, texts: tuple[str, ...]) -> dict[str, str]:
        """Returns the lookup row of a record. That of a record's own follows from its key alone."""
        assert self._lookup_place is not None
        key = _cell(texts[self._lookup_place])
        if not self._has_row_each:
            return self.lookup_rows.get(key, {})
        draws = self._lookup_draws
        self._lookup_rng.seed(f"{self._seed}/lookup/{key}")
        return {self._lookup.key: key, **{name: _cell(draw()) for name, draw in draws.items()}}

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
            rule = self.rule(texts)
            yield Entry(
                self.id_of(texts), values, promised or {}, kind or (None if promised is not None or rule else UNWANTED), rule
            )

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

    def rule(self, texts: tuple[str, ...]) -> str | None:
        """Returns the rule by which the pipeline drops a record; None where it keeps it."""
        rule = self._source.filtered
        return rule if rule is not None and compiled(rule)(self._values(texts)) else None

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
            values["lookup"] = self._lookup_row(texts)
        return values


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


def _cell(text: str) -> str:
    """Returns JSON text as a cell of a CSV row."""
    if text[0] == '"':
        return text[1:-1] if "\\" not in text else str(from_json(text))
    return "" if text == "null" else text
