"""What fields draw from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from faker import Faker
from pydantic_core import to_json

if TYPE_CHECKING:
    import random

Draw = Callable[[], str]
"""Draws one value, as JSON text."""

_LOCALES = ("en_US", "de_DE", "ja_JP")


class Drawing:
    """What fields draw from: the seeded numbers, Faker for the pools, and the load's lookup rows."""

    def __init__(self, rng: random.Random, seed: int) -> None:
        self.rng = rng
        self.seed = seed
        self.lookup_keys: list[str] = []
        self._fakers: dict[bool, Faker] = {}

    def faker(self, *, unicode: bool) -> Faker:
        """Returns a Faker of three languages, or of English alone."""
        if unicode not in self._fakers:
            fake = self._fakers[unicode] = Faker(list(_LOCALES) if unicode else "en_US")
            fake.seed_instance(self.seed)
        return self._fakers[unicode]

    def pool(self, values: list[Any]) -> Draw:
        """Returns a draw from ready-made values."""
        written, pick, count = [to_json(value).decode() for value in values], self.rng.random, len(values)
        return lambda: written[int(pick() * count)]
