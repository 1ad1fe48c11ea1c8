"""Files that a person names or has written, and those that an earlier run has kept: read with bounds, and told in one sentence where they cannot be read."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING, Any

import yaml

from harness.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 1 << 20
MOST_NODES = 10_000
LONGEST_LINE = 10 << 20
"""Bytes of a line, and of a row of CSV: what Kinesis takes as one record at most."""

MOST_ERRORS = 10
"""So many are told of a file; of the others, how many they are."""
_DEEPEST = 100
_LONGEST_NUMBER = 4096
_MOST_JSON_BYTES = 1 << 28
_MOST_JSON_PARTS = 3_000_000
_NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}

MISTYPED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError)
"""What code raises that is given a document with other types in it than it expects, or nested without end."""

# How PyYAML names a text that it has read.
_IN_TEXT = re.compile(r'in "<(?:unicode|byte) string>", line (\d+)')

# libyaml where PyYAML was built with it: ten times as fast.
LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def require_regular(path: Path, what: str) -> None:
    """Raises UsageError for a path that is missing or no regular file: reading a pipe or a device may never end."""
    try:
        mode = path.stat().st_mode
    except ValueError as error:
        raise UsageError(f"{what} {str(path)!r}: {error}") from error
    except OSError as error:
        raise UsageError(f"{what} {path}: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise UsageError(f"{what} {path}: Is a directory")
    if not stat.S_ISREG(mode):
        raise UsageError(f"{what} {path} is not a regular file: write what it has into one")


def read_text(path: Path, what: str, most: int = MOST_BYTES) -> str:
    """Returns the text of a file. `what` names it in messages. Raises UsageError where it cannot be read, is not UTF-8, or has more than `most` bytes."""
    require_regular(path, what)
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise UsageError(f"{what} {path} has more than {most:,} bytes: that is no {what}")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{what} {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{what} {path} is not UTF-8 text: {error}") from error


def read_yaml(path: Path, what: str, *, loader: type[Any] = LOADER, nodes: int = MOST_NODES) -> tuple[yaml.Node | None, Any]:
    """Returns the node of a YAML file, which knows its lines, and its document. Raises UsageError as `read_text` does, and where it is not YAML, or has more
    than so many nodes, each alias counted as what it stands for."""
    text = read_text(path, what)
    try:
        _bounded(text, loader, nodes)
        reader = loader(text)
        try:
            node = reader.get_single_node()
            if node is not None:
                _expanded(node, nodes)
            return node, reader.construct_document(node) if node is not None else None
        finally:
            reader.dispose()
    except _TooMuchError as error:
        raise UsageError(f"{what} {path} {error}") from error
    except (yaml.YAMLError, *MISTYPED) as error:
        # Not YAML errors: a day that does not exist, a number of thousands of digits, an explicit type whose value is none.
        told = str(error) or type(error).__name__
        if isinstance(error, yaml.YAMLError):
            told = _IN_TEXT.sub(lambda found: f"at {path}:{found[1]}", told)
        raise UsageError(f"{what} {path} is not YAML: {told}") from error


def read_json(path: Path, what: str) -> Any:
    """Returns the document of a JSON file. Raises UsageError as `read_text` does, and where it is not JSON."""
    text = read_text(path, what, _MOST_JSON_BYTES)
    try:
        require_few_values(text.encode())
        document = json.loads(text)
        if "\\ud" in text.lower():
            # Half of a character: it cannot be written anywhere again.
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        told = "nested too deeply" if isinstance(error, RecursionError) else error
        raise UsageError(f"{what} {path} is not JSON: {told}") from error
    return document


def require_few_values(content: bytes, most: int = _MOST_JSON_PARTS) -> None:
    """Raises ValueError for a JSON text that would take too much memory as a document: three bytes of an empty list are eighty there."""
    if sum(map(content.count, (b",", b"[", b"{"))) > most:
        raise ValueError(f"it has more than {most:,} values")


class _TooMuchError(Exception):
    pass


def _bounded(text: str, loader: type[Any], most: int) -> None:
    """Raises _TooMuchError before the document is composed, which nests calls as deeply as the text nests brackets."""
    count = depth = 0
    for event in yaml.parse(text, Loader=loader):
        match event:
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                count, depth = count + 1, depth + 1
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                depth -= 1
            case yaml.ScalarEvent():
                count += 1
                number = event.tag in _NUMBERS or (event.implicit[0] and event.value[:1] in "+-.0123456789")
                if len(event.value) > _LONGEST_NUMBER and number:
                    # Numbers are read in a time that grows as the square of their length.
                    raise _TooMuchError(f"has a number of more than {_LONGEST_NUMBER:,} characters")
            case yaml.AliasEvent():
                count += 1
        if count > most:
            raise _TooMuchError(f"has more than {most:,} keys and values")
        if depth > _DEEPEST:
            raise _TooMuchError(f"is nested more than {_DEEPEST} deep")


def _children(node: yaml.Node) -> list[yaml.Node]:
    match node:
        case yaml.MappingNode():
            return [one for pair in node.value for one in pair]
        case yaml.SequenceNode():
            return list(node.value)
        case _:
            return []


def require_once(node: yaml.Node | None, path: Path, what: str) -> None:
    """Raises UsageError for a key that a mapping has twice: the first one would not count."""
    left, seen = [node] if node is not None else [], set[int]()
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        left += _children(one)
        if isinstance(one, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, _ in one.value:
                if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                    line = key.start_mark.line + 1
                    if key.value in first:
                        raise UsageError(f"{what} {path}:{line}: {key.value} stands here twice, first in line {first[key.value]}")
                    first[key.value] = line


def _expanded(node: yaml.Node, most: int) -> None:
    """Raises _TooMuchError where the aliases of a document stand for too much, or for themselves."""
    sizes: dict[int, tuple[int, int]] = {}
    inside: set[int] = set()

    def of(node: yaml.Node) -> tuple[int, int]:
        """Returns how many nodes there are from here on, and how deep they go."""
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in inside:
            raise _TooMuchError("has an alias that stands for what it is in")
        inside.add(id(node))
        if len(inside) > _DEEPEST:
            raise _TooMuchError(f"is nested more than {_DEEPEST} deep")
        below = [of(one) for one in _children(node)]
        sizes[id(node)] = found = 1 + sum(size for size, _ in below), 1 + max((deep for _, deep in below), default=0)
        inside.discard(id(node))
        if found[0] > most:
            raise _TooMuchError(f"has more than {most:,} keys and values, with each alias counted as what it stands for")
        if found[1] > _DEEPEST:
            raise _TooMuchError(f"is nested more than {_DEEPEST} deep")
        return found

    of(node)


def child_of(node: yaml.Node | None, key: int | str) -> yaml.Node | None:
    """Returns what a node has under a key, or at a place; None where it has nothing there."""
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == str(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        child: yaml.Node = node.value[key]
        return child
    return None


def line_of(node: yaml.Node | None, keys: list[int | str]) -> int:
    """Returns the line (from 1) of the key, or of the innermost part of its place that the file has."""
    line = node.start_mark.line if node is not None else 0
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            for name, _ in node.value:
                if name.value == str(key):
                    line = name.start_mark.line
        node = child_of(node, key)
        if node is None:
            break
        if isinstance(key, int):
            line = node.start_mark.line
    return line + 1
