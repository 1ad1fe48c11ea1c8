"""The journal of a run, as harness/inside/journal.py has written it: what each invocation and each AWS call carried."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

JOURNAL = "journal.ndjson.zst"
_LONGEST_ENTRY = 64 << 20
# The rest of an entry is what was carried. Within a text its quotes would be escaped.
_CARRIED = b', "carried": '
# What belongs to an entry and not to its contents.
_CONTENTS = ("carried", "body", "answer")


def _lines(run_dir: Path) -> Iterator[bytes]:
    """Yields the lines of a run's journal; nothing where the run has none."""
    path = run_dir / JOURNAL
    if not path.is_file():
        return
    rest = b""
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as file:
        while part := file.read(1 << 20):
            *lines, rest = (rest + part).split(b"\n")
            if len(rest) > _LONGEST_ENTRY:
                raise ValueError(f"{path.name} has an entry of more than {_LONGEST_ENTRY:,} bytes")
            yield from lines


def entries(run_dir: Path, wanted: Callable[[bytes], bool] = lambda _: True) -> Iterator[tuple[dict[str, Any], str]]:
    """Yields each entry of a run's journal whose line is wanted, with it; nothing where the run has none."""
    for line in filter(wanted, _lines(run_dir)):
        yield json.loads(line), line.decode()


def heads(run_dir: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yields each entry of a run's journal without its contents, and its line. To read these would take most of the time."""
    for line in _lines(run_dir):
        head, separator, _ = line.partition(_CARRIED)
        yield (json.loads(head + b"}") if separator else _without_contents(json.loads(line))), line


def _without_contents(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in _CONTENTS}
