"""The embedded emulator where its packages are missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

_NOT_THERE = """
import importlib.util
found = importlib.util.find_spec
def find(name):
    if name == "localstack.runtime": raise ModuleNotFoundError(name="localstack")
    return None if name == "localstack" else found(name)
importlib.util.find_spec = find
"""
_ANOTHER = "import sys; sys.path.insert(0, '.')"


@pytest.mark.parametrize("missing", [_NOT_THERE, _ANOTHER])
def test_it_is_told_what_to_install(tmp_path, missing):
    (tmp_path / "localstack").mkdir()
    (tmp_path / "localstack" / "__init__.py").touch()
    code = f"{missing}\nfrom harness.cli import main\nmain(['demo', '--emulator', 'embedded'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 64, done.stderr
    assert "pip install 'pipeproof[embedded]'" in done.stderr
    assert "Traceback" not in done.stderr
