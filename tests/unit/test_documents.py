"""Documents are counted before they are composed, and told in one sentence where they are too much."""

import pytest

from harness import documents
from harness.documents import read_json, read_yaml
from harness.errors import UsageError


def document(tmp_path, text):
    path = tmp_path / "d.yaml"
    path.write_text(text)
    return path


LAUGHS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'ha'}]\n" for n in range(12))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k{n}: 1}}\n" for n in range(1, 30))
CHAIN = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 200))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "counted as what it stands for"),
        (MERGES, "counted as what it stands for"),
        (CHAIN, "nested more than 100 deep"),
        ("a: &a [*a]\n", "stands for what it is in"),
        ("a: " + "[" * 101 + "]" * 101, "nested more than 100 deep"),
        ("a: [" + "1," * 10_001 + "]", "more than 10,000"),
        ("a: 1" + ":10" * 2000, "a number of more than 4,096 characters"),
        ("a: !!int " + "1:" * 5000 + "1", "a number of more than 4,096 characters"),
        ("a: !!float '" + "1:" * 5000 + "1'", "a number of more than 4,096 characters"),
        ("a: !!timestamp never", "is not YAML"),
        ("a: !!int x", "is not YAML"),
        ("a: !!bool maybe", "is not YAML"),
        ("a: !unknown x", "is not YAML"),
        ("#" * (1 << 20) + "x", "more than 1,048,576 bytes"),
    ],
)
def test_what_would_eat_the_machine_is_refused(tmp_path, text, said):
    with pytest.raises(UsageError, match=said):
        read_yaml(document(tmp_path, text), "scenario")


def test_aliases_and_merges_within_bounds_are_read(tmp_path):
    _, read = read_yaml(document(tmp_path, "a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\nd: '" + "9" * 5000 + "'\n"), "scenario")
    assert (read["b"], read["c"], len(read["d"])) == ({"x": 1, "y": 2}, [{"x": 1}, {"x": 1}], 5000)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "nothing", '{"a": "\\ud800"}', "[" + "[]," * 3_000_000 + "[]]"], ids=range(5))
def test_what_is_no_json_is_named(tmp_path, text):
    with pytest.raises(UsageError, match="is not JSON"):
        read_json(document(tmp_path, text), "plan")


def test_a_path_that_is_none_is_named(tmp_path):
    with pytest.raises(UsageError, match="null"):
        documents.read_text(tmp_path / "a\0b", "scenario")
    with pytest.raises(UsageError, match="Is a directory"):
        documents.read_text(tmp_path, "scenario")
