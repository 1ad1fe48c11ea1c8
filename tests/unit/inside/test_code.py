"""Code is unpacked once for all functions that have it, and stays as long as one of them needs it."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.inside.lambda_ import code


class Archive:
    """Unpacks itself where LocalStack's does: into a directory of its own."""

    def __init__(self, root, name, content, *, broken=False):
        self._own, self._content, self._broken = root / name / "code", content, broken
        self.code_sha256 = base64.b64encode(hashlib.sha256(content).digest()).decode()
        self.unpacked = 0

    def is_hot_reloading(self):
        return False

    def get_unzipped_code_location(self):
        return self._own

    def prepare_for_execution(self):
        if self._own.exists():
            return
        self.unpacked += 1
        self._own.mkdir(parents=True)
        if self._broken:
            message = "no space left on device"
            raise OSError(message)
        (self._own / "app.py").write_bytes(self._content)

    def destroy_cached(self):
        for path in [*self._own.glob("*"), self._own]:
            if path.exists():
                path.rmdir() if path.is_dir() else path.unlink()


@pytest.fixture(autouse=True)
def own_tmp(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))


def version(name, archive, *layers):
    config = SimpleNamespace(
        code=archive, layers=[SimpleNamespace(code=layer) for layer in layers], internal_revision=f"revision of {name}"
    )
    return SimpleNamespace(qualified_arn=f"{name}:$LATEST", config=config)


def files(archive):
    directory = code.location(archive)
    return {path.name: path.read_bytes() for path in directory.iterdir()} if directory.exists() else None


def test_the_same_code_is_unpacked_once_and_stays_when_the_last_function_has_gone(tmp_path):
    archives = [Archive(tmp_path, name, b"same") for name in ("a", "b")]
    first, second = (version(name, archive) for name, archive in zip("ab", archives, strict=True))
    code.unpack(first)
    code.unpack(second)
    assert [archive.unpacked for archive in archives] == [1, 0]
    assert code.location(archives[0]) == code.location(archives[1])
    code.forget(first)
    code.forget(first)
    assert files(archives[1]) == {"app.py": b"same"}
    code.forget(second)
    again = Archive(tmp_path, "c", b"same")
    code.unpack(version("c", again))
    assert (again.unpacked, files(again)) == (0, {"app.py": b"same"})


@pytest.mark.parametrize("how", ["written", "written anew", "added", "removed", "put"])
def test_code_that_was_written_to_is_not_kept(tmp_path, how):
    archive = Archive(tmp_path, "a", b"code")
    code.unpack(version("a", archive))
    file = code.location(archive) / "app.py"
    match how:
        case "written":
            file.write_bytes(b"other")
        case "written anew":
            file.unlink()
            file.write_bytes(b"edoc")
        case "added":
            file.with_name("new.txt").write_bytes(b"")
        case "removed":
            file.unlink()
        case "put":
            content = io.BytesIO()
            with zipfile.ZipFile(content, "w") as packed:
                packed.writestr("app.py", b"code")
            code.put(version("a", archive), content.getvalue())
    code.forget(version("a", archive))
    assert files(archive) is None


def test_what_python_has_compiled_is_kept_with_the_code(tmp_path):
    archive = Archive(tmp_path, "a", b"code")
    code.unpack(version("a", archive))
    (code.location(archive) / "app.pyc").write_bytes(b"compiled")
    code.forget(version("a", archive))
    assert files(archive) == {"app.py": b"code", "app.pyc": b"compiled"}


def test_only_the_last_few_are_kept(tmp_path):
    archives = [Archive(tmp_path, f"a{number}", b"%d" % number) for number in range(12)]
    for number, archive in enumerate(archives):
        code.unpack(version(f"f{number}", archive))
        code.forget(version(f"f{number}", archive))
    assert [files(archive) is not None for archive in archives] == [False] * 4 + [True] * 8


def test_no_more_bytes_are_kept_than_there_may_be(tmp_path, monkeypatch):
    monkeypatch.setattr(code, "_MOST_IDLE_BYTES", 10)
    archives = [Archive(tmp_path, f"a{number}", b"%05d" % number) for number in range(4)]
    for number, archive in enumerate(archives):
        code.unpack(version(f"f{number}", archive))
        code.forget(version(f"f{number}", archive))
    assert [files(archive) is not None for archive in archives] == [False, False, True, True]


def test_code_that_is_needed_again_is_not_among_the_idle(tmp_path):
    archives = [Archive(tmp_path, f"a{number}", b"%d" % number) for number in range(10)]
    code.unpack(version("needed", archives[0]))
    code.forget(version("needed", archives[0]))
    code.unpack(version("needed", archives[0]))
    for number, archive in enumerate(archives[1:]):
        code.unpack(version(f"f{number}", archive))
        code.forget(version(f"f{number}", archive))
    assert files(archives[0]) == {"app.py": b"0"}


def test_a_new_version_of_a_function_with_the_same_code_keeps_it_when_the_old_one_goes(tmp_path):
    archive = Archive(tmp_path, "a", b"same")
    old, new = version("a", archive), version("a", archive)
    new.config.internal_revision = "another"
    code.unpack(old)
    code.unpack(new)
    code.forget(old)
    assert files(archive) == {"app.py": b"same"}


def test_other_code_lies_elsewhere_and_layers_are_code_too(tmp_path):
    archive, layer = Archive(tmp_path, "a", b"code"), Archive(tmp_path, "l", b"layer")
    code.unpack(version("a", archive, layer))
    assert (files(archive), files(layer)) == ({"app.py": b"code"}, {"app.py": b"layer"})


def test_what_was_unpacked_in_part_is_not_taken_for_the_whole(tmp_path):
    broken = Archive(tmp_path, "a", b"code", broken=True)
    with pytest.raises(OSError, match="no space left"):
        code.unpack(version("a", broken))
    code.unpack(version("b", Archive(tmp_path, "a", b"code")))
    assert files(broken) == {"app.py": b"code"}


def test_a_function_that_was_never_prepared_takes_nothing_from_another(tmp_path):
    archive = Archive(tmp_path, "a", b"same")
    code.unpack(version("a", archive))
    code.forget(version("b", archive))
    assert Path(code.location(archive), "app.py").exists()


NAMES = st.sampled_from(["a", "b", "c"])
TREES = st.recursive(st.binary(max_size=3), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=8)


def write(directory, tree):
    directory.mkdir(exist_ok=True)
    for name, entry in tree.items():
        if isinstance(entry, dict):
            write(directory / name, entry)
        else:
            (directory / name).write_bytes(entry)


def read(directory):
    return {path.name: read(path) if path.is_dir() else path.read_bytes() for path in directory.iterdir()}


def over(below, above):
    """The second tree laid over the first."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {name: over(below.get(name), above[name]) if name in above else below[name] for name in below | above}


@given(st.lists(st.dictionaries(NAMES, TREES, max_size=3), min_size=2, max_size=3))
def test_of_several_layers_the_later_hide_the_files_of_the_earlier(layers):
    with tempfile.TemporaryDirectory() as scratch:
        directories = [Path(scratch, str(number)) for number in range(len(layers))]
        for directory, tree in zip(directories, layers, strict=True):
            write(directory, tree)
        code._merge(directories, Path(scratch, "merged"))
        assert read(Path(scratch, "merged")) == functools.reduce(over, layers)


def test_merged_layers_go_with_the_last_function_that_has_them(tmp_path):
    layers = [Archive(tmp_path, name, name.encode()) for name in ("first", "second")]
    one, other = (version(name, Archive(tmp_path, name, b"code"), *layers) for name in ("one", "other"))
    for function in (one, other):
        code.unpack(function)
    assert (code.layers(one) / "app.py").read_bytes() == b"second"
    code.forget(one)
    assert code.layers(other).exists()
    code.forget(other)
    assert not code.layers(other).exists()
