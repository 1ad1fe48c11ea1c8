"""Requests that need not be looked up in the tables of routes: the answer is the one that werkzeug gives."""

from __future__ import annotations

import types

import pytest
import werkzeug.routing.matcher as original
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, Rule
from werkzeug.routing.converters import BaseConverter
from werkzeug.routing.exceptions import NoMatch

from harness.inside.patches import gateway
from harness.inside.routes import may_have


class Regex(BaseConverter):
    """As rolo's."""

    def __init__(self, of: Map, *items: str):
        super().__init__(of)
        self.regex = items[0]


class StateMachineMatcher(original.StateMachineMatcher):
    """Werkzeug's with the patch."""


# `match` and `update` of the subclass are patched, and those of werkzeug stay as they are.
StateMachineMatcher.match, StateMachineMatcher.update = original.StateMachineMatcher.match, original.StateMachineMatcher.update
gateway.routeless.apply(types.SimpleNamespace(StateMachineMatcher=StateMachineMatcher, NoMatch=NoMatch))

HOSTS = st.sampled_from(
    ["<__host__>", "<path:anything>", "127.0.0.1:1", "<api>.execute-api.local:1", '<regex("[ab]+"):name>.local:1', "local:1"]
)
ASKED_HOSTS = st.sampled_from(["127.0.0.1:1", "local:1", "x.execute-api.local:1", "ab.local:1", "elsewhere"])
SEGMENTS = st.sampled_from(["", "a", "b", "_c", "<d>", "<path:e>", '<regex("a.*"):f>'])
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3, unique=True).map(lambda parts: "/" + "/".join(parts))
ASKED_PATHS = st.lists(st.sampled_from(["", "a", "b", "_c", "ab", "%20"]), max_size=4).map(lambda parts: "/" + "/".join(parts))


def found(of: Map, matcher: type, host: str, path: str):
    machine = matcher(merge_slashes=True)
    for rule in of.iter_rules():
        machine.add(rule)
    machine.update()
    asked = []
    for _ in range(2):
        try:
            rule, values = machine.match(host, path, "GET", websocket=False)
            asked.append((rule.rule, rule.host, values))
        except Exception as error:  # noqa: BLE001 - whatever werkzeug raises
            asked.append(type(error))
    return asked


@given(st.lists(st.tuples(HOSTS, PATHS, st.booleans()), max_size=6), ASKED_HOSTS, ASKED_PATHS)
@example([("<__host__>", "/a/<d>", False)], "local:1", "/b")
@example([("<__host__>", "/a", False)], "local:1", "//a")
@example([("<path:anything>", "/a", False)], "local:1", "/a")
def test_what_is_found_is_what_werkzeug_finds(routes, host, path):
    rules = [Rule(path, host=on, endpoint="e", methods=["POST"] if post else None) for on, path, post in routes]
    of = Map(rules, host_matching=True, strict_slashes=False, converters={"regex": Regex})
    assert found(of, StateMachineMatcher, host, path) == found(of, original.StateMachineMatcher, host, path)


@given(st.lists(st.tuples(HOSTS, PATHS), max_size=6), ASKED_HOSTS, ASKED_PATHS)
@example([("<__host__>", "/a")], "local:1", "/a")
def test_where_there_may_be_no_route_there_is_none(routes, host, path):
    rules = [Rule(path, host=on, endpoint="e") for on, path in routes]
    of = Map(rules, host_matching=True, strict_slashes=False, converters={"regex": Regex})
    if not may_have(of, host, path):
        with pytest.raises(NotFound):
            of.bind(host).match(path, method="GET")


def test_a_route_may_be_had_once_it_is_there():
    of = Map([Rule("/a", host="<__host__>", endpoint="a")], host_matching=True)
    of._matcher.__class__ = StateMachineMatcher
    assert not may_have(of, "local:1", "/b/c")
    of.add(Rule("/b/c", host="<__host__>", endpoint="b"))
    assert may_have(of, "local:1", "/b/c")


def test_a_route_that_is_added_later_is_found():
    of, machine = Map(host_matching=True), StateMachineMatcher(merge_slashes=True)
    for path in ("/a", "/b"):
        rule = Rule(path, host="<__host__>", endpoint=path)
        rule.bind(of)
        machine.add(rule)
        machine.update()
        assert machine.match("local", path, "GET", websocket=False)[0] is rule
