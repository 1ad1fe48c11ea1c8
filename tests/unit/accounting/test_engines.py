"""What is said where an engine is not there."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

from harness.accounting import engines
from harness.errors import UsageError


def test_duckdb_is_always_there():
    engines.require("duckdb")


@pytest.mark.parametrize(("installed", "told"), [(False, "PySpark is not installed"), (True, "there is no Java")])
def test_spark_that_cannot_run_is_refused_with_what_is_missing(monkeypatch, tmp_path, installed, told):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object() if installed else None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    for name in ("SPARK_HOME", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=told):
        engines.require("spark")
    with pytest.raises(UsageError, match=told):
        engines.run("spark", tmp_path, lambda _: None, 1)
    assert list(tmp_path.iterdir()) == []
