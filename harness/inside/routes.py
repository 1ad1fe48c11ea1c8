"""Whether a path need be looked up in a table of routes: most requests are in none, and a look takes an eighth of the time of a small one."""

from __future__ import annotations

import re
from typing import Any

_HOSTS = 1000


def may_have(url_map: Any, host: str, path: str) -> bool:
    """Returns whether a werkzeug map with hosts may have a route for the raw path of a request to `host` (with its port)."""
    url_map.update()
    return may_match(url_map._matcher, url_map.bind(host).server_name, path)  # noqa: SLF001


def may_match(matcher: Any, domain: str, path: str) -> bool:
    """Returns whether a werkzeug matcher may match a path that begins with a slash."""
    # Slashes that follow each other are merged where nothing matches.
    if not path.startswith("/") or "//" in path:
        return True
    known = vars(matcher).setdefault("beginnings", {})
    if domain not in known:
        if len(known) >= _HOSTS:
            known.clear()
        known[domain] = _beginnings(matcher._root, domain)  # noqa: SLF001
    return known[domain] is None or path[1:].partition("/")[0] in known[domain]


def forget(matcher: Any) -> None:
    """Looks at the routes anew the next time."""
    vars(matcher).pop("beginnings", None)


def _beginnings(root: Any, domain: str) -> frozenset[str] | None:
    """Returns what may stand between the first two slashes of a path that a route of the host matches; None for anything."""
    of_host = [root.static[domain]] if domain in root.static else []
    of_host += [state for part, state in root.dynamic if re.match(part.content, domain)]
    found = set[str]()
    for state in of_host:
        # Before the first slash of a path there is nothing.
        behind = state.static[""]
        if behind.dynamic:
            return None
        found |= behind.static.keys()
    return frozenset(found)
