"""A scenario that is being drafted, and how it is written: with a comment above each part."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any

import yaml


@dataclass
class Draft:
    """A scenario as plain data, and what a person should know of each part of it."""

    document: dict[str, Any] = field(default_factory=dict)
    comments: dict[str, list[str]] = field(default_factory=dict)

    def say(self, key: str, text: str) -> None:
        self.comments.setdefault(key, []).append(text)


class _Plain(yaml.SafeDumper):
    """Writes a value twice rather than an anchor and an alias."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def written(made: Draft) -> str:
    """Returns the scenario file."""
    head = "# Written by `pipeproof init`. Run it: pipeproof run THIS_FILE. What each key means: docs/scenarios.md\n"
    parts = []
    for key, value in made.document.items():
        comments = "".join(f"# {line}\n" for line in made.comments.get(key, []))
        text = yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=140, default_flow_style=None)
        if isinstance(value, str | int):
            parts.append(f"{comments}{key}: {text.removesuffix('...' + chr(10))}")
        elif text.startswith("{"):
            parts.append(f"{comments}{key}: {text}")
        else:
            parts.append(f"{comments}{key}:\n{textwrap.indent(text, '  ')}")
    return head + "\n".join(parts)
