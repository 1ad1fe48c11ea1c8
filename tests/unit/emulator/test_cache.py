"""What no run has used for a month leaves the cache."""

from __future__ import annotations

import os
import time

import pytest

from harness.emulator import cache


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "cache_dir", lambda: tmp_path)
    return tmp_path


def put(path, days):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"zip")
    age(path, days)
    return path


def age(path, days):
    at = time.time() - days * 24 * 3600
    os.utime(path, (at, at))


def test_packages_that_are_not_used_for_a_month_go_and_all_else_stays(root):
    gone = [put(root / name / "a.zip", 31) for name in ("packages", "dependencies")]
    kept = [put(root / name / "b.zip", 29) for name in ("packages", "dependencies")]
    other = put(root / "lambda-runtime" / "c.zip", 300)
    scratch = put(root / "packages" / "build-1" / "tree" / "app.py", 31).parents[1]
    age(scratch, 31)
    cache.sweep()
    assert not any(path.exists() for path in [*gone, scratch])
    assert all(path.exists() for path in [*kept, other])


def test_what_is_asked_for_counts_as_used(root):
    package = put(root / "packages" / "a.zip", 31)
    assert cache.has(package)
    cache.sweep()
    assert package.exists()
    assert not cache.has(root / "packages" / "none.zip")


def test_an_empty_cache_is_swept(root):
    cache.sweep()
    assert list(root.iterdir()) == []
