"""Types of Hive's columns, as Glue's catalogue has them: array<struct<a:int,b:map<string,decimal(10,2)>>>."""

from __future__ import annotations


def members(text: str) -> list[str]:
    """Returns the parts of a list of columns or types, split at the commas that are not within brackets."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "<(") - (char in ">)")
        if char == "," and not depth:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]
