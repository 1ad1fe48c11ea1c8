"""What `down` believes of a note that may be another's."""

import json
import os
from pathlib import Path

import pytest

from harness.emulator import work_dirs
from harness.emulator.owner import Owner
from harness.errors import UsageError
from harness.run.up import down, read_state


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIPEPROOF_TMPDIR", str(tmp_path))
    monkeypatch.setenv("PIPEPROOF_CACHE", str(tmp_path / "cache"))
    (tmp_path / ".pipeproof").mkdir()
    return tmp_path


def noted(emulator, endpoint="http://127.0.0.1:4999"):
    document = {"name": "x", "emulator": emulator, "endpoint": endpoint, "outputs": {}}
    Path(".pipeproof", "up.json").write_text(json.dumps(document))


def test_down_removes_no_directory_that_no_emulator_works_in(here):
    victim = here / "victim"
    victim.mkdir(mode=0o700)
    noted({"kind": "embedded", "pid": 2, "work_dir": str(victim)})
    down()
    assert victim.exists()
    mine = work_dirs.create()
    noted({"kind": "embedded", "pid": 2, "work_dir": str(mine)})
    down()
    assert mine.exists(), "it is of another process"


def test_down_removes_the_directory_of_an_emulator_that_has_ended():
    work_dir = work_dirs.create()
    me = Owner.of(os.getpid())
    work_dirs.label(work_dir, Owner(2**22 - 3, me.started_at_s - 1000, 2**22 - 3))
    noted({"kind": "embedded", "pid": 2**22 - 3, "work_dir": str(work_dir)})
    down()
    assert not work_dir.exists()


@pytest.mark.parametrize(
    "emulator",
    [
        {}, [], None, {"kind": "x"}, {"kind": "embedded"}, {"kind": "embedded", "pid": "a", "work_dir": "x"}, {"kind": "embedded", "pid": -1, "work_dir": "x"},
        {"kind": "embedded", "pid": 2, "work_dir": "\0"}, {"kind": "container", "name": "postgres", "network": "pipeproof-x"},
        {"kind": "container", "name": "pipeproof-up-x", "network": "bridge"},
    ],
)  # fmt: skip
def test_a_note_that_names_no_emulator_is_told(emulator):
    noted(emulator)
    for command in (read_state, down):
        with pytest.raises(UsageError, match=r"up\.json names no emulator .* may still run: a container pipeproof-up-"):
            command()
    assert Path(".pipeproof", "up.json").exists()


def test_a_note_without_an_endpoint_is_told():
    noted({"kind": "embedded", "pid": 2, "work_dir": "x"}, endpoint="nowhere")
    with pytest.raises(UsageError, match="names no emulator"):
        read_state()


@pytest.mark.parametrize("text", ['{"name": "x", "emul', "[]", "", "{}"])
def test_a_damaged_note_is_told(text):
    Path(".pipeproof", "up.json").write_text(text)
    with pytest.raises(UsageError, match=r"up\.json.*remove the file"):
        read_state()


def test_without_a_note_nothing_is_up():
    assert read_state() is None
    with pytest.raises(UsageError, match="nothing is up"):
        down()
