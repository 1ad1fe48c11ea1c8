"""Work directories in a place that everybody may write to."""

import json
import os

import pytest

from harness.emulator import work_dirs
from harness.emulator.owner import Owner


@pytest.fixture(autouse=True)
def base(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPEPROOF_TMPDIR", str(tmp_path))
    return tmp_path


def dead():
    me = Owner.of(os.getpid())
    return {"pid": me.pid, "started_at_s": me.started_at_s - 1000, "session": None}


def test_what_a_dead_process_left_is_swept_and_what_a_living_one_has_is_not():
    mine, left = work_dirs.create(), work_dirs.create()
    (left / "owner.json").write_text(json.dumps(dead()))
    assert work_dirs.sweep() == [left]
    assert (mine.exists(), left.exists()) == (True, False)


@pytest.mark.parametrize("label", ["", "[" * 100_000, "null", "[]", "1", '{"pid": 1}', "\ud800"], ids=range(7))
def test_a_label_that_is_no_owner_is_left_alone(label):
    work_dir = work_dirs.create()
    (work_dir / "owner.json").write_text(label, errors="surrogatepass")
    assert work_dirs.sweep() == []
    assert work_dir.exists()


@pytest.mark.parametrize(
    "changed",
    [{"pid": "1"}, {"pid": [1]}, {"pid": 10**30}, {"pid": -1}, {"started_at_s": "x"}, {"session": {}}, {"more": 1}],
    ids=str,
)
def test_a_label_that_names_no_process_is_left_alone(changed):
    work_dir = work_dirs.create()
    (work_dir / "owner.json").write_text(json.dumps({**dead(), **changed}))
    assert work_dirs.sweep() == []
    assert work_dir.exists()


def test_a_label_that_is_a_pipe_blocks_nothing():
    work_dir = work_dirs.create()
    (work_dir / "owner.json").unlink()
    os.mkfifo(work_dir / "owner.json")
    assert work_dirs.sweep() == []


def test_a_directory_that_others_may_write_to_is_left_alone():
    work_dir = work_dirs.create()
    (work_dir / "owner.json").write_text(json.dumps(dead()))
    work_dir.chmod(0o777)
    assert work_dirs.sweep() == []


def test_a_link_to_a_directory_is_left_alone(base):
    elsewhere = base / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / "owner.json").write_text(json.dumps(dead()))
    (base / "pipeproof-link").symlink_to(elsewhere)
    assert work_dirs.sweep() == []
    assert elsewhere.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
def test_the_directory_of_another_user_is_left_alone():
    work_dir = work_dirs.create()
    (work_dir / "owner.json").write_text(json.dumps(dead()))
    os.chown(work_dir, 65534, 65534)
    assert work_dirs.sweep() == []
