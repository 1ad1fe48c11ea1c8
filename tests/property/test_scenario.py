"""Reading scenarios: a message that names the place, for whatever is wrong, and never anything but a UsageError."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.scenario.catalogue import BUILT_IN
from harness.scenario.loading import load_scenario
from harness.scenario.scenario import Scenario

SMOKE = yaml.safe_load((BUILT_IN / "clickstream-smoke.yaml").read_text().replace("../", f"{BUILT_IN.parent}/"))
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


def loaded(content):
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "s.yaml"
        path.write_bytes(content)
        return load_scenario(path)


def places(node, before=()):
    """Every place in a nested document."""
    yield before
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, (*before, key))


def replaced(node, place, value):
    if not place:
        return value
    copy = node.copy()
    copy[place[0]] = replaced(node[place[0]], place[1:], value)
    return copy


@given(st.one_of(st.binary(max_size=200), junk.map(lambda j: yaml.safe_dump(j).encode())))
def test_any_file_is_a_scenario_or_a_usage_error(content):
    try:
        assert isinstance(loaded(content), Scenario)
    except UsageError as error:
        assert "s.yaml" in str(error)


@example(("probes",), [None, {}])
@given(st.sampled_from([p for p in places(SMOKE) if p]), junk)
def test_a_wrong_value_anywhere_is_named_with_line_and_key_or_is_allowed(place, value):
    try:
        loaded(yaml.safe_dump(replaced(SMOKE, place, value)).encode())
    except UsageError as error:
        assert "s.yaml:" in str(error)
        assert str(place[0]) in str(error)


@given(
    st.sampled_from([p for p in places(SMOKE) if (p and p[0] != "stack") or len(p) < 2]),
    st.from_regex(r"[a-z]{3,10}zz", fullmatch=True),
)
def test_an_unknown_key_is_named_with_what_is_allowed(place, key):
    target = SMOKE
    for part in place:
        target = target[part]
    if not isinstance(target, dict):
        return
    with pytest.raises(UsageError) as refused:
        loaded(yaml.safe_dump(replaced(SMOKE, place, {**target, key: 1})).encode())
    assert f"{key}: unknown key" in str(refused.value)
    assert "Allowed here: " in str(refused.value)
