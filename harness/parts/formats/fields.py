"""Described fields: what a synthetic record may hold, and how its values are drawn.

A field draws JSON text, not a value: most records are only written, and text from a pool is written as fast as it is picked.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import from_json, to_json

from harness.parts.expressions import compiled
from harness.parts.formats.base_field import BaseField, ordered
from harness.parts.formats.moments import DateField, DatetimeField
from harness.parts.part import NotEmpty
from harness.parts.variety import TEXTS

if TYPE_CHECKING:
    from harness.parts.formats.drawing import Draw, Drawing

_POOL = 400
# A choice of more values has no class for each, a longer list none for its length.
_FEW, _LONG = 12, 100
_MOST_VALUES = 100_000
# A draw holds each value as often as it weighs.
_MOST_WEIGHT = 1_000_000
# No number of AWS has more digits.
_WITHIN_NUMBERS = Field(ge=-(10**38), le=10**38)
_WIDE = Context(prec=1000)
Prefix = Annotated[str, Field(max_length=100, pattern=r"^[\w.:/#-]*$")]
"""What stands before an id: characters that JSON and CSV write unchanged."""


def _expression(template: str) -> str:
    compiled(template)
    return template


Template = Annotated[str, AfterValidator(_expression)]
"""Text with `{{ expression }}` in it; text that is a single expression takes the expression's type."""


class UuidField(BaseField):
    """A random UUID (version 4), behind `prefix`."""

    type: Literal["uuid"]
    prefix: Prefix = ""

    def draw(self, drawing: Drawing) -> Draw:
        """Returns the draw."""
        bits, prefix = drawing.rng.getrandbits, self.prefix

        def one() -> str:
            text = f"{bits(128):032x}"
            return f'"{prefix}{text[:8]}-{text[8:12]}-4{text[13:16]}-{"89ab"[int(text[16], 16) % 4]}{text[17:20]}-{text[20:]}"'

        return one

    def edges(self, drawing: Drawing) -> dict[str, Draw]:
        """Returns upper case, which is the same to a reader."""
        draw = self.draw(drawing)
        return {} if self.prefix else {"upper case": lambda: draw().upper()}


class ChoiceField(BaseField):
    """One of the values in `of`; `weights`, of the same number, say how often each comes."""

    type: Literal["choice"]
    of: Annotated[tuple[Any, ...], NotEmpty]
    weights: tuple[Annotated[int, Field(ge=0)], ...] | None = None

    @model_validator(mode="after")
    def _has_a_weight_for_each(self) -> Self:
        if self.weights is not None and (len(self.weights) != len(self.of) or not sum(self.weights)):
            raise ValueError(f"weights: expected {len(self.of)} numbers, one for each value, not all of them 0")
        try:
            to_json(self.of)
        except ValueError as error:
            raise ValueError(f"of: {error}") from None
        if sum(self.weights or ()) > _MOST_WEIGHT:
            raise ValueError(f"weights: their sum is more than {_MOST_WEIGHT:,}")
        return self

    def draw(self, drawing: Drawing) -> Draw:
        """Returns the draw."""
        weights = self.weights or (1,) * len(self.of)
        return drawing.pool([value for value, weight in zip(self.of, weights, strict=True) for _ in range(weight)])

    def edges(self, drawing: Drawing) -> dict[str, Draw]:
        """Returns each value; none where there are many."""
        weights = self.weights or (1,) * len(self.of)
        values = [value for value, weight in zip(self.of, weights, strict=True) if weight]
        return {str(value): drawing.pool([value]) for value in values} if 1 < len(values) <= _FEW else {}


class IntField(BaseField):
    """A whole number from `min` to `max`. With `unique` no two records of a file have the same. With `prefix` it is text: the prefix and the number."""

    type: Literal["int"]
    min: Annotated[int, _WITHIN_NUMBERS] = 0
    max: Annotated[int, _WITHIN_NUMBERS] = 1_000_000
    unique: bool = False
    prefix: Prefix = ""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        return ordered(self)

    def draw(self, drawing: Drawing) -> Draw:
        """Returns the draw."""
        low, span, pick = self.min, self.max - self.min + 1, drawing.rng.random
        mark = '"' if self.prefix else ""
        before = f"{mark}{self.prefix}"
        if not self.unique:
            return lambda: f"{before}{low + int(pick() * span)}{mark}"
        # Steps that share no factor with the span visit every number once before the first comes again.
        number, step = drawing.rng.randrange(span), _coprime(span)

        def one() -> str:
            nonlocal number
            number = (number + step) % span
            return f"{before}{low + number}{mark}"

        return one

    def edges(self, drawing: Drawing) -> dict[str, Draw]:  # noqa: ARG002 - the values are given
        """Returns the smallest and the largest number, and zero."""
        return {} if self.unique or self.prefix else _numbers(self.min, self.max, 0)


class DecimalField(BaseField):
    """A number from `min` to `max` with `places` digits behind the point."""

    type: Literal["decimal"]
    min: Annotated[Decimal, _WITHIN_NUMBERS] = Decimal(0)
    max: Annotated[Decimal, _WITHIN_NUMBERS] = Decimal(1000)
    places: Annotated[int, Field(ge=0, le=12)] = 2

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        return ordered(self)

    def draw(self, drawing: Drawing) -> Draw:
        """Returns the draw."""
        scale = 10**self.places
        low, high = (int(bound * scale) for bound in _written_bounds(self.min, self.max, self.places))
        span, pick, places = high - low + 1, drawing.rng.random, self.places

        def one() -> str:
            number = low + int(pick() * span)
            whole, part = divmod(abs(number), scale)
            return f"{'-' if number < 0 else ''}{whole}.{part:0{places}d}" if places else str(number)

        return one

    def edges(self, drawing: Drawing) -> dict[str, Draw]:  # noqa: ARG002 - the values are given
        """Returns the smallest and the largest number, and zero."""
        return _numbers(self.min, self.max, self.places)


class NameField(BaseField):
    """A person's name; with `unicode` in three scripts."""

    type: Literal["name"]
    unicode: bool = True

    def draw(self, drawing: Drawing) -> Draw:
        """Returns the draw."""
        fake = drawing.faker(unicode=self.unicode)
        return drawing.pool([fake.name() for _ in range(_POOL)])

    def edges(self, drawing: Drawing) -> dict[str, Draw]:
        """Returns a name beyond ASCII, where such names are drawn, and one with an apostrophe."""
        beyond = {"beyond ASCII": drawing.pool(["Zoë Müller-日本"])} if self.unicode else {}
        return {**beyond, "with an apostrophe": drawing.pool(["Sinéad O'Neill" if self.unicode else "Sinead O'Neill"])}


class EmailField(BaseField):
    """An e-mail address of a domain that is reserved for examples."""

    type: Literal["email"]

    def draw(self, drawing: Drawing) -> Draw:
        """Returns the draw."""
        fake = drawing.faker(unicode=False)
        return drawing.pool([fake.safe_email() for _ in range(_POOL)])

    def edges(self, drawing: Drawing) -> dict[str, Draw]:
        """Returns an address with a plus sign."""
        return {"with a plus sign": drawing.pool(["first.last+news@example.com"])}


class TextField(BaseField):
    """A sentence of up to `max` characters; with `unicode` also with quotes, commas, line ends and characters beyond the first plane."""

    type: Literal["text"]
    max: Annotated[int, Field(ge=1, le=100_000)] = 80
    unicode: bool = True

    def draw(self, drawing: Drawing) -> Draw:
        """Returns the draw."""
        fake = drawing.faker(unicode=self.unicode)
        texts = [fake.sentence()[: self.max] for _ in range(_POOL)]
        if self.unicode:
            odd = ['"quoted", and more', "two\nlines", "😀 Grüße", "a\tb", " leading blank", "日本語", "é\u0301"]
            texts[: len(odd)] = [text[: self.max] for text in odd]
        return drawing.pool(texts)

    def edges(self, drawing: Drawing) -> dict[str, Draw]:
        """Returns what a text may hold; nothing where it is plain."""
        return {name: drawing.pool([text]) for name, text in TEXTS.items() if self.unicode and len(text) <= self.max}


class NestedField(BaseField):
    """An object with `fields`."""

    type: Literal["nested"]
    fields: dict[str, PlainField]

    def draw(self, drawing: Drawing) -> Draw:
        """Returns the draw."""
        draws = [(to_json(name).decode(), drawn(field, drawing)) for name, field in self.fields.items()]
        return lambda: "{" + ",".join(f"{name}:{draw()}" for name, draw in draws) + "}"

    def edges(self, drawing: Drawing) -> dict[str, Draw]:
        """Returns the object with each class of each of its fields."""
        ordinary = {name: drawn(field, drawing) for name, field in self.fields.items()}

        def with_one(name: str, draw: Draw) -> Draw:
            draws = {**ordinary, name: draw}
            return lambda: "{" + ",".join(f"{to_json(inner).decode()}:{one()}" for inner, one in draws.items()) + "}"

        return {
            f"{name} {which}": with_one(name, draw)
            for name, field in self.fields.items()
            for which, draw in edges_of(field, drawing).items()
        }


class ListField(BaseField):
    """A list of `min` to `max` values of the field `of`."""

    type: Literal["list"]
    of: PlainField
    min: Annotated[int, Field(ge=0)] = 0
    max: Annotated[int, Field(ge=0, le=10_000)] = 3

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if _most_values(self) > _MOST_VALUES:
            raise ValueError(f"max: with the lists within, it has more than {_MOST_VALUES:,} values")
        return ordered(self)

    def draw(self, drawing: Drawing) -> Draw:
        """Returns the draw."""
        draw, low, span, pick = drawn(self.of, drawing), self.min, self.max - self.min + 1, drawing.rng.random
        return lambda: "[" + ",".join(draw() for _ in range(low + int(pick() * span))) + "]"

    def edges(self, drawing: Drawing) -> dict[str, Draw]:
        """Returns the shortest and the longest list."""
        draw = drawn(self.of, drawing)

        def of(length: int) -> Draw:
            return lambda: "[" + ",".join(draw() for _ in range(length)) + "]"

        longest = {"the longest": of(self.max)} if self.max <= _LONG else {}
        return {"empty" if not self.min else "the shortest": of(self.min), **longest}


def _most_values(field: Any) -> int:
    """Returns how many values a field has at most, those of its lists and mappings counted."""
    match field:
        case ListField():
            return max(1, field.max * _most_values(field.of))
        case NestedField():
            return sum(map(_most_values, field.fields.values()))
        case _:
            return 1


class LookupField(BaseField):
    """The key of a row of the source's `lookup`."""

    type: Literal["lookup"]

    def draw(self, drawing: Drawing) -> Draw:
        """Returns the draw."""
        return drawing.pool(drawing.lookup_keys)


class ComputedField(BaseField):
    """A value that follows from the fields before it: `value` may hold `{{ unit_price * units }}`."""

    type: Literal["computed"]
    value: Template


PlainField = Annotated[
    UuidField | ChoiceField | IntField | DecimalField | DateField | DatetimeField | NameField | EmailField | TextField | NestedField
    | ListField,
    Field(discriminator="type"),
]  # fmt: skip
"""A field that can stand anywhere."""

AnyField = Annotated[
    UuidField | ChoiceField | IntField | DecimalField | DateField | DatetimeField | NameField | EmailField | TextField | NestedField
    | ListField | LookupField | ComputedField,
    Field(discriminator="type"),
]  # fmt: skip
"""A field of a record: a looked-up or a computed one refers to the record as a whole."""

NestedField.model_rebuild()
ListField.model_rebuild()


def drawn(field: Any, drawing: Drawing) -> Draw:
    """Returns the draw of a field, with its share of nulls."""
    draw: Draw = field.draw(drawing)
    if not field.null:
        return draw
    pick, share = drawing.rng.random, field.null
    return lambda: "null" if pick() < share else draw()


def edges_of(field: Any, drawing: Drawing) -> dict[str, Draw]:
    """Returns the classes of a field, null among them where it may be null."""
    return {**({"null": lambda: "null"} if field.null else {}), **field.edges(drawing)}


def _numbers(low: Any, high: Any, places: int) -> dict[str, Draw]:
    zero = Decimal(0)
    smallest, largest = _written_bounds(Decimal(low), Decimal(high), places)
    wanted = {"the smallest": smallest, "the largest": largest, **({"zero": zero} if low < zero < high else {})}

    def one(number: Decimal) -> Draw:
        # Zero has no sign.
        return lambda: f"{number + 0:.{places}f}"

    return {name: one(number) for name, number in wanted.items()}


def _written_bounds(low: Decimal, high: Decimal, places: int) -> tuple[Decimal, Decimal]:
    """Returns the smallest and the largest number with so many places within the bounds."""
    unit = Decimal(1).scaleb(-places)
    smallest = low.quantize(unit, ROUND_CEILING, _WIDE)
    return smallest, max(smallest, high.quantize(unit, ROUND_FLOOR, _WIDE))


def value_of(field: Any, text: str) -> Any:
    """Returns what JSON text stands for; a decimal is exact."""
    return Decimal(text) if isinstance(field, DecimalField) and text != "null" else from_json(text)


def _coprime(span: int) -> int:
    # A prime that is larger than most spans shares no factor with them; a multiple of it is the exception.
    return next((prime for prime in (611_953_897, 1_000_003, 999_983) if span % prime), 1)
