"""Laws that the code of a pipeline keeps, as assertions for property tests. See docs/pytest.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harness.accounting.record import Record

__all__ = ["assert_conserves", "assert_idempotent"]

_NAMED = 5
_LONGEST = 500


def assert_conserves(
    transform: Callable[[list[bytes]], tuple[Iterable[Any], Iterable[Any]]],
    records: Sequence[Record],
    *,
    id_of: Callable[[Any], str],
) -> None:
    """Raises AssertionError where a transform loses, doubles, invents or confuses records, and names them.

    `transform` takes the payloads of a batch, and returns what it keeps and what it gives up. `id_of` returns the record id of one of these. What is healthy must be
    kept, and what is malformed given up. Of malformed records whose id cannot be read, `id_of` may return "": then only their number counts."""
    kept, given_up = (Counter(map(id_of, found)) for found in transform([record.payload for record in records]))
    healthy = Counter(record.record_id for record in records if record.malformed is None)
    malformed = Counter(record.record_id for record in records if record.malformed is not None)
    without_id = given_up.pop("", 0)
    found: dict[str, list[str]] = {}
    missing = 0
    for name in dict.fromkeys([*healthy, *malformed, *kept, *given_up]):
        offered, came = healthy[name] + malformed[name], kept[name] + given_up[name]
        if not offered:
            found.setdefault("never offered", []).append(name)
        elif came > offered:
            found.setdefault("more often than offered", []).append(name)
        elif kept[name] > healthy[name]:
            found.setdefault("malformed, and kept", []).append(name)
        elif given_up[name] > malformed[name]:
            found.setdefault("healthy, and given up", []).append(name)
        elif kept[name] < healthy[name]:
            found.setdefault("lost", []).append(name)
        missing += max(0, malformed[name] - given_up[name]) if kept[name] <= healthy[name] else 0
    wrong = [_told(what, names) for what, names in found.items()]
    if without_id != missing:
        wrong.append(f"malformed, and not given up by their ids: {missing}; given up without an id: {without_id}")
    if wrong:
        raise AssertionError("\n".join(wrong))


def _told(what: str, names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return f"{what}: {', '.join(map(repr, names[:_NAMED]))}" + (f" and {more:,} more" if more > 0 else "")


def assert_idempotent(handler: Callable[[Any], object], event: Any, *, state: Callable[[], Any]) -> None:
    """Raises AssertionError where the same event, delivered again, changes anything: every source of events delivers at least once. `state` returns what the handler
    writes to, as a value that can be compared, such as the objects of a bucket or the items of a table."""
    handler(event)
    once = state()
    handler(event)
    twice = state()
    if once != twice:
        raise AssertionError("the second delivery changed what the first has left:" + _difference(once, twice))


def _difference(once: Any, twice: Any) -> str:
    if isinstance(once, Mapping) and isinstance(twice, Mapping):
        changed = [key for key in {**once, **twice} if key not in once or key not in twice or once[key] != twice[key]]
        lines = [
            f"\n  {key!r}: {_short(once.get(key, '(not there)'))}, then {_short(twice.get(key, '(not there)'))}"
            for key in changed[:_NAMED]
        ]
        return "".join(lines) + (f"\n  and {len(changed) - _NAMED:,} more" if len(changed) > _NAMED else "")
    return f"\n  after one:  {_short(once)}\n  after two:  {_short(twice)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
