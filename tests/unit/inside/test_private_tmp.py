"""What a function's process sees where it has mounts of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness.inside.lambda_.private_tmp import command_with_private_tmp, mounts

pytestmark = pytest.mark.skipif(not mounts(), reason="this machine lets no process make mounts of its own")


def run(command, tmp, code, visible=(), opt=None, own=None):
    within = command_with_private_tmp(command, tmp, code, visible, opt)
    return subprocess.run(
        within, env={"PATH": os.environ["PATH"], **(own or {})}, cwd=code, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folders(tmp_path):
    made = tmp_path / "tmp", tmp_path / "code"
    for folder in made:
        folder.mkdir()
    return made


def test_the_variables_of_a_function_are_its_own(folders):
    own = dict.fromkeys(("in", "tmp", "opt", "count", "to"), "the function's")
    found = run(["env"], *folders, own=own).stdout.splitlines()
    assert {f"{name}=the function's" for name in own} <= set(found)
    assert not [line for line in found if line.startswith(("PWD=", "OLDPWD="))]


def test_code_and_a_layer_cannot_be_written_to_wherever_they_are(folders):
    """Something visible below /opt keeps the layer from being there; it is then found by its own path."""
    tmp, code = folders
    with tempfile.TemporaryDirectory(dir="/var/tmp") as elsewhere:
        layer = Path(elsewhere)
        for folder in (code, layer):
            done = run(["touch", f"{folder}/new"], tmp, code, [layer, Path("/opt/python")], layer)
            assert "Read-only file system" in done.stderr
        assert run(["touch", "/tmp/new"], tmp, code, [layer, Path("/opt/python")], layer).returncode == 0
    assert (tmp / "new").exists()
