"""The plot of a benchmark: both files, and the same figures make the same plot."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from tests.bench.batch import Series
from tests.bench.plot import check, draw, draw_bars, draw_ratios

SERIES = [
    Series("embedded", {10_000: [5.0, 6.0, 5.5], 100_000: [20.0, 22.0, 21.0]}),
    Series("the article", {10_000: [300.0]}),
    Series("not measured", {}),
]


def test_both_files_are_beside_the_json_and_show_each_series_that_was_measured(tmp_path):
    png, svg = draw(SERIES, tmp_path / "bench.json")
    assert (png.name, svg.name) == ("bench.png", "bench.svg")
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text()
    for name in ("embedded", "the article", "records"):
        assert text.count(f"<!-- {name} -->") == 1
    assert "not measured" not in text


@pytest.mark.parametrize("name", ["bench.png", "bench.svg"])
def test_the_plot_is_not_written_over_the_figures(tmp_path, name):
    with pytest.raises(UsageError, match=r"name a \.json file"):
        check(tmp_path / name)


def test_the_same_figures_make_the_same_plot(tmp_path):
    first = draw(SERIES, tmp_path / "first.json")
    second = draw(SERIES, tmp_path / "second.json")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_the_bars_of_the_sets_are_beside_each_other(tmp_path):
    png, svg = draw_bars(
        {"latency": {"low": [1.0, 2.0], "high": [9.0]}, "price": {"low": [3.0], "high": [1.0]}}, tmp_path / "bench.json"
    )
    assert png.read_bytes().startswith(b"\x89PNG")
    for name in ("latency", "price"):
        assert svg.read_text().count(f"<!-- {name} -->") == 1
    assert svg.read_text().count("<!-- low -->") == 2


def test_a_row_that_is_as_fast_as_the_peer_has_no_bar(tmp_path):
    png, svg = draw_ratios({"put": [1.0], "get": [2.0, 4.0], "list": [0.4, 0.5]}, tmp_path / "bench.json")
    assert png.read_bytes().startswith(b"\x89PNG")
    for name in ("put", "get", "list", "times as fast as the peer"):
        assert svg.read_text().count(f"<!-- {name} -->") == 1
