"""Puts a report together: the document of the run, the page that shows it, and the libraries that draw its charts, in one file."""

from __future__ import annotations

import html
import json
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.report.html.document import Gathered, Kept
from harness.run.run_dir import readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

REPORT = "report.html"
MOST_BYTES = 1_000_000
_HERE = files("harness.report.html")
_HISTORY = ("base.js", "history.js")
_SEARCH = ("base.js", "search.js")
_SCRIPTS = ("base.js", "verdict.js", "clusters.js", "flows.js", "timeline.js", "latency.js", "records.js", "rest.js")
_LIBRARIES = ("uPlot.iife.min.js", "d3-array.min.js", "d3-sankey.min.js")


def write_report(run_dir: Path) -> Path:
    """Writes report.html into a run's directory and returns its path. It keeps less of a run whose report would have more than MOST_BYTES, and says so.

    Raises UsageError for a directory that is none of a run with a result, and where it cannot be written."""
    with readable(run_dir):
        gathered, kept = Gathered(run_dir), Kept()
        while len(page := _page(gathered.document(kept)).encode()) > MOST_BYTES and kept.anomalies > 1:
            kept = kept.less()
    path = run_dir / REPORT
    # Beside it first: a report that is open in a browser is there or whole.
    part = run_dir / f".{REPORT}"
    try:
        part.write_bytes(page)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return path


def left_report(run_dir: Path) -> str:
    """Writes the report of a run that has ended, and returns a line that says where it is, or why there is none: the verdict stands without it."""
    try:
        return f"Report: {write_report(run_dir)}"
    except UsageError as error:
        return f"Report: none could be written: {error}"


def write_history(runs: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes a page of many runs, the oldest first: `directory` of each is relative to the page's folder. Raises OSError."""
    path.write_bytes(_html({"runs": runs}, f"{len(runs):,} runs", _HISTORY).encode())


def write_search(search: Mapping[str, Any], path: Path) -> None:
    """Writes the page of a search (harness/report/search.py). Raises OSError."""
    path.write_bytes(_html(search, f"{search['verdict']}: search of {search['scenario']}", _SEARCH).encode())


def _page(found: dict[str, Any]) -> str:
    found = {**found, "records": [_compact(record) for record in found["records"]]}
    return _html(found, f"{found['result']['verdict']}: {found['result']['scenario']}", _SCRIPTS)


def _compact(record: dict[str, Any]) -> dict[str, Any]:
    """Returns a record without what it does not have: the page puts that in again. An empty way is one that was looked for."""
    return {name: value for name, value in record.items() if value not in (None, [], "") or (name == "way" and value is not None)}


def _html(document: Mapping[str, Any], title: str, scripts: Sequence[str]) -> str:
    return Template(_text("assets", "report.html")).substitute(
        title=html.escape(title),
        style=_text("vendor", "uPlot.min.css") + "\n" + _text("assets", "report.css"),
        # Within a script, what ends it must not be read as its end.
        document=json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str).replace("<", "\\u003c"),
        libraries=_script("vendor", _LIBRARIES),
        script=_script("assets", scripts),
        licences=_text("vendor", "LICENSES.txt").replace("--", "- -"),
    )


def _script(folder: str, names: Sequence[str]) -> str:
    return "\n".join(_text(folder, name) for name in names).replace("</script", "<\\/script")


def _text(folder: str, name: str) -> str:
    return (_HERE / folder / name).read_text(encoding="utf-8")
