"""`pipeproof graph`: what a stack's resources do with each other, as a Mermaid flowchart or as SVG; of a run, with what was seen at each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from harness.documents import read_json
from harness.draft.graph import MACHINES, STORES, graph_of
from harness.emulator.clients import DEFAULT_ACCOUNT
from harness.errors import UsageError
from harness.run.journal import entries
from harness.run.run_dir import OBSERVATIONS, PLAN, readable
from harness.stack.functions import TYPES as FUNCTIONS
from harness.stack.template import read_template
from harness.stack.values import parameter_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.draft.graph import Graph
    from harness.stack.template import Template

# How Mermaid draws them: https://mermaid.js.org/syntax/flowchart.html
_SHAPES = {
    "function": ('["', '"]'),
    "state machine": ('{{"', '"}}'),
    "bucket": ('[("', '")]'),
    "table": ('[("', '")]'),
    "queue": ('[/"', '"/]'),
}
_OTHER = ('(["', '"])')
# What cannot be read any more has no id, but a place in its stream.
_PLACES = """select outcome, place, count(distinct coalesce(record_id, concat_ws(':', shard, sequence)))
from read_parquet($path) group by all"""


@dataclass(frozen=True, slots=True)
class Node:
    """A resource: its logical id, what it is, and what was seen there."""

    name: str
    kind: str
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """Records go from `source` to `target`. `label` says how; `given_up` are those that the source could not do its work with."""

    source: str
    target: str
    label: str = ""
    given_up: bool = False


def picture(path: Path) -> tuple[list[Node], list[Edge]]:
    """Returns what there is to draw of a template, or of the directory of a run: with invocations, and with records by outcome.

    Raises UsageError where its files cannot be read, or no resource feeds another one."""
    return _of_run(path) if path.is_dir() else _drawn(read_template(path), {}, {})


def mermaid(nodes: Sequence[Node], edges: Sequence[Edge]) -> Iterator[str]:
    """Yields the lines of a flowchart."""
    yield "flowchart LR"
    for node in nodes:
        begins, ends = _SHAPES.get(node.kind, _OTHER)
        yield f"  {node.name}{begins}{'<br/>'.join(filter(None, [node.name, node.kind, node.seen]))}{ends}"
    for edge in edges:
        arrow = "-. given up .->" if edge.given_up else f"-- {edge.label} -->" if edge.label else "-->"
        yield f"  {edge.source} {arrow} {edge.target}"


def _of_run(run_dir: Path) -> tuple[list[Node], list[Edge]]:
    with readable(run_dir):
        plan = read_json(run_dir / PLAN, "plan")
        stack, names = plan["document"]["stack"], plan["names"]
        counts = {**_invocations(run_dir, names), **_sightings(run_dir, names)}
    # The template is what it is today.
    return _drawn(read_template(run_dir / stack["template"]), stack.get("parameters") or {}, counts)


def _invocations(run_dir: Path, names: Mapping[str, str]) -> dict[str, str]:
    logical = {physical: name for name, physical in names.items()}
    done: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for entry, _ in entries(run_dir):
        if entry.get("kind") == "invocation" and (name := logical.get(entry.get("name", ""))):
            done[name] += 1
            failed[name] += bool(entry.get("error"))
    return {name: f"{count:,} invocations" + (f", {failed[name]:,} failed" if failed[name] else "") for name, count in done.items()}


def _sightings(run_dir: Path, names: Mapping[str, str]) -> dict[str, str]:
    path = run_dir / OBSERVATIONS
    if not path.exists():
        return {}
    # A queue is known by its URL and a topic by its ARN, and both are seen by name. The longest name first: one may begin as another does.
    own = {name: physical.rpartition("/")[2].rpartition(":")[2] for name, physical in names.items()}
    by_length = sorted(own.items(), key=lambda item: -len(item[1]))
    found: Counter[tuple[str, str]] = Counter()
    for outcome, place, count in duckdb.execute(_PLACES, {"path": str(path)}).fetchall():
        name = next((name for name, physical in by_length if physical and physical in place), None)
        if name is not None:
            found[name, outcome] += count
    told: dict[str, list[str]] = {}
    for (name, outcome), count in sorted(found.items()):
        told.setdefault(name, []).append(f"{count:,} {outcome.replace('_', '-')}")
    return {name: ", ".join(parts) for name, parts in told.items()}


def _drawn(template: Template, parameters: Mapping[str, str], counts: Mapping[str, str]) -> tuple[list[Node], list[Edge]]:
    graph = graph_of(template, parameter_values(template.document, parameters, DEFAULT_ACCOUNT))
    edges = list(_edges(graph, template))
    drawn = {name for edge in edges for name in (edge.source, edge.target)} | set(counts)
    if not drawn & set(template.resources):
        raise UsageError(f"{template.path}: there is nothing to draw: no resource feeds another one")
    nodes = [
        Node(name, _kind(resource["Type"]), counts.get(name, "")) for name, resource in template.resources.items() if name in drawn
    ]
    # What SAM adds, such as an implicit API, is no resource of the template.
    added = [
        Node(name, "")
        for name in dict.fromkeys(name for edge in edges for name in (edge.source, edge.target))
        if name not in template.resources
    ]
    return nodes + added, edges


def _edges(graph: Graph, template: Template) -> Iterator[Edge]:
    resources = template.resources
    seen = set()
    for entry in graph.entries:
        source = entry.source if entry.source in resources else f"{entry.target}{entry.kind.title().replace(' ', '')}"
        edge = Edge(source, entry.target, entry.kind)
        if entry.target in resources and source != entry.target and edge not in seen:
            seen.add(edge)
            yield edge
    for store, writers in graph.written.items():
        for writer in sorted(writers):
            if writer in resources and not any(one.source == writer and one.target == store for one in seen):
                yield Edge(writer, store)
    for who, takers in graph.given_up.items():
        for taker in sorted(takers):
            yield Edge(who, taker, given_up=True)


def _kind(of: str) -> str:
    if of in FUNCTIONS:
        return "function"
    if of in MACHINES:
        return "state machine"
    return STORES.get(of, of.rpartition("::")[2])
