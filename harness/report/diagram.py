"""A picture of resources as SVG: who feeds whom goes from left to right."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.report.picture import Edge, Node

_HIGH, _GAP_X, _GAP_Y, _MARGIN = 58, 110, 26, 16
_WIDE_LETTER, _LEAST_WIDE = 8.0, 120
_PASSES = 8
_STYLE = """
text { font: 12px system-ui, "Segoe UI", Roboto, Arial, sans-serif; fill: #1b1f27; } .name { font-weight: 600; } .quiet { fill: #505a68; }
rect { fill: #f6f7f9; stroke: #7b8494; } .store { fill: #e3f4ea; } .function { fill: #e6ecfb; } .edge { fill: none; stroke: #505a68; stroke-width: 1.4; }
.given-up { stroke: #b3261e; stroke-dasharray: 5 4; } .label { font-size: 11px; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; } .page { fill: #ffffff; stroke: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e7eaf0; } .quiet { fill: #aab3c1; } rect { fill: #1d2128; } .store { fill: #12331f; } .function { fill: #1c2946; } .edge { stroke: #aab3c1; }
  .given-up { stroke: #ff9a8f; } .label { stroke: #14171c; } .page { fill: #14171c; }
}
"""
_STORES = frozenset({"bucket", "table", "queue", "topic", "stream", "delivery stream"})


def svg(nodes: Sequence[Node], edges: Sequence[Edge]) -> Iterator[str]:
    """Yields the lines of the picture."""
    columns = _columns(nodes, edges)
    width = {node.name: max(_LEAST_WIDE, 24 + _WIDE_LETTER * max(map(len, (node.name, node.kind, node.seen)))) for node in nodes}
    left: dict[str, float] = {}
    top: dict[str, float] = {}
    x = float(_MARGIN)
    tallest = max(len(column) for column in columns)
    for column in columns:
        y = _MARGIN + (tallest - len(column)) * (_HIGH + _GAP_Y) / 2
        for name in column:
            left[name], top[name] = x, y
            y += _HIGH + _GAP_Y
        x += max(width[name] for name in column) + _GAP_X
    whole_width, whole_height = x - _GAP_X + _MARGIN, tallest * (_HIGH + _GAP_Y) - _GAP_Y + 2 * _MARGIN
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole_width:.0f}" height="{whole_height:.0f}" viewBox="0 0 {whole_width:.0f} {whole_height:.0f}" role="img">'
    yield f"<title>{escape(_told(nodes, edges))}</title><style>{_STYLE}</style>"
    yield '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#7b8494"/></marker>'
    yield '<rect class="page" width="100%" height="100%"/>'
    for edge in edges:
        yield from _edge(edge, left, top, width)
    for node in nodes:
        kind = "store" if node.kind in _STORES else "function" if node.kind == "function" else "other"
        x, y = left[node.name], top[node.name]
        yield f'<rect class="{kind}" x="{x:.0f}" y="{y:.0f}" width="{width[node.name]:.0f}" height="{_HIGH}" rx="8"/>'
        for line, (text, style) in enumerate([(node.name, "name"), (node.kind, "quiet"), (node.seen, "seen")]):
            if text:
                yield f'<text class="{style}" x="{x + 12:.0f}" y="{y + 19 + 16 * line:.0f}">{escape(text)}</text>'
    yield "</svg>"


def _told(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    return f"{len(nodes)} resources: " + "; ".join(f"{edge.source} to {edge.target}" for edge in edges)


def _edge(edge: Edge, left: Mapping[str, float], top: Mapping[str, float], width: Mapping[str, float]) -> Iterator[str]:
    style = "edge given-up" if edge.given_up else "edge"
    x1, y1 = left[edge.source] + width[edge.source], top[edge.source] + _HIGH / 2
    x2, y2 = left[edge.target], top[edge.target] + _HIGH / 2
    if x2 > x1:
        middle = (x1 + x2) / 2
        path, label = (
            f"M{x1:.0f},{y1:.0f}C{middle:.0f},{y1:.0f} {middle:.0f},{y2:.0f} {x2:.0f},{y2:.0f}",
            (middle, (y1 + y2) / 2 - 5),
        )
    else:
        # Back, or down within a column: below both.
        x1, x2 = left[edge.source] + width[edge.source] / 2, left[edge.target] + width[edge.target] / 2
        y1, y2 = top[edge.source] + _HIGH, top[edge.target] + (_HIGH if top[edge.target] <= top[edge.source] else 0)
        below = max(y1, y2) + _GAP_Y * 0.9
        path, label = f"M{x1:.0f},{y1:.0f}C{x1:.0f},{below:.0f} {x2:.0f},{below:.0f} {x2:.0f},{y2:.0f}", ((x1 + x2) / 2, below - 6)
    yield f'<path class="{style}" d="{path}" marker-end="url(#head)"/>'
    if text := "given up" if edge.given_up else edge.label:
        yield f'<text class="label quiet" x="{label[0]:.0f}" y="{label[1]:.0f}" text-anchor="middle">{escape(text)}</text>'


def _columns(nodes: Sequence[Node], edges: Sequence[Edge]) -> list[list[str]]:
    """Returns the names in columns: each behind all that feeds it, but for circles; and within a column near its neighbours."""
    rank = dict.fromkeys((node.name for node in nodes), 0)
    for _ in nodes:
        for edge in edges:
            if (
                edge.source != edge.target
                and rank[edge.target] <= rank[edge.source] < len(nodes) - 1
                and not _leads(edge.target, edge.source, edges)
            ):
                rank[edge.target] = rank[edge.source] + 1
    columns: dict[int, list[str]] = defaultdict(list)
    for name, at in rank.items():
        columns[at].append(name)
    ordered = [columns[at] for at in sorted(columns)]
    for _ in range(_PASSES):
        place = {name: number - len(column) / 2 for column in ordered for number, name in enumerate(column)}
        for column in ordered:
            column.sort(key=lambda name: _mean([place[other] for edge in edges for other in _other_end(edge, name)], place[name]))
    return ordered


def _other_end(edge: Edge, name: str) -> list[str]:
    return [other for own, other in ((edge.source, edge.target), (edge.target, edge.source)) if own == name]


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _leads(begin: str, end: str, edges: Sequence[Edge]) -> bool:
    """Whether there is a way from one to the other."""
    reached, todo = {begin}, [begin]
    while todo:
        at = todo.pop()
        for edge in edges:
            if edge.source == at and edge.target not in reached:
                reached.add(edge.target)
                todo.append(edge.target)
    return end in reached
