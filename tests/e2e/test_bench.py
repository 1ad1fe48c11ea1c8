"""The batch benchmark, beside a peer: both run the same file, and what each stored is told."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.e2e.commands import KIND, ROOT, environment


def bench(cwd, *args):
    """`python -m tests.bench`, as tox calls it."""
    command = [sys.executable, "-m", "tests.bench", *map(str, args)]
    done = subprocess.run(command, cwd=ROOT, env=environment(cwd), capture_output=True, text=True, check=False, timeout=240)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(KIND == "container", reason="the benchmark has an embedded emulator of its own, whatever the tests use")
def test_a_batch_is_measured_beside_ministack_and_neither_loses_a_row(tmp_path):
    out = tmp_path / "bench.json"
    measured = ("batch", "--records", 100, "--repetitions", 1, "--peer", "ministack", "--out", out)
    code, output = bench(tmp_path, *measured)
    assert code == 0, output
    figures = {figure["name"]: figure["median"] for figure in json.loads(out.read_text())["figures"]}
    both = "100 orders as MiniStack can run them"
    assert figures[f"{both}: stored by embedded"] == figures[f"{both}: stored by MiniStack"] == 100
    assert figures[f"{both}: lost by embedded"] == figures[f"{both}: lost by MiniStack"] == 0
    assert figures["100 orders, upload to e-mail"] > figures["100 orders: Split"] > 0
    for suffix in (".png", ".svg"):
        assert out.with_suffix(suffix).stat().st_size
