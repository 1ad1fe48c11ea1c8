"""Zips of functions: nothing in them leads out of the directory that they are unpacked into."""

import contextlib
import io
import os
import shutil
import stat
import struct
import tempfile
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.inside.lambda_ import archive
from harness.inside.lambda_.archive import BadArchiveError, unpack, verify


def made(*entries):
    """A zip of (name, content) and (name, content, mode)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a name is there twice
        for name, content, *mode in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (mode[0] if mode else stat.S_IFREG | 0o644) << 16
            zipped.writestr(info, content)
    return file.getvalue()


def link(name, target):
    return name, target, stat.S_IFLNK | 0o777


def unpacked(content, root):
    file = root / "a.zip"
    file.write_bytes(content)
    into = root / "code"
    into.mkdir()
    unpack(str(file), str(into))
    return into


def test_files_directories_and_links_are_unpacked_with_their_modes(tmp_path):
    content = made(
        ("app.py", "code"), ("bin/tool", "run", stat.S_IFREG | 0o4755), ("empty/", "", stat.S_IFDIR | 0o755), ("a/./b", "dot"),
        link("lib.so", "bin/tool"), link("deep/er/up", "../../app.py"), link("here", "."),
    )  # fmt: skip
    verify(content)
    into = unpacked(content, tmp_path)
    assert (into / "app.py").read_text() == "code"
    assert (into / "bin/tool").stat().st_mode & 0o7777 == 0o755, "no setuid"
    assert (into / "empty").is_dir()
    assert (into / "a/b").read_text() == "dot"
    assert (into / "lib.so").readlink().as_posix() == "bin/tool"
    assert (into / "deep/er/up").read_text() == "code"


@pytest.mark.parametrize(
    "entries",
    [
        [("../out", "x")],
        [("a/../../out", "x")],
        [("/tmp/out", "x")],
        [("..\\out", "x")],
        [link("lnk", "/tmp"), ("lnk/f", "x")],
        [("lnk/f", "x"), link("lnk", "/tmp")],
        [link("lnk", "inside"), ("lnk/f", "x")],
        [link("lnk", "/etc/passwd")],
        [link("lnk", "..")],
        [link("a/b/lnk", "../../../x")],
        [link("x/y/up", "../.."), link("out", "x/y/up/../secret")],
        [link("a", "b"), link("b", "a")],
        [link("f", "g"), ("f", "x")],
        [("f", "x"), link("f", "g")],
        [link("lnk", "")],
        [link("lnk", "x" * 5000)],
        [("pipe", "", stat.S_IFIFO | 0o644)],
        [("disk", "", stat.S_IFBLK | 0o644)],
        [("a" * 5000, "x")],
    ],
)
def test_what_leads_out_or_is_no_file_is_refused(entries, tmp_path):
    content = made(*entries)
    with pytest.raises(BadArchiveError):
        verify(content)
    with pytest.raises(BadArchiveError):
        unpacked(content, tmp_path)
    assert not (tmp_path / "out").exists()


def test_the_process_beside_unpacks_and_refuses_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_MUCH", 0)
    monkeypatch.setattr(archive, "unpack", None)
    file = tmp_path / "a.zip"
    file.write_bytes(made(("app.py", "code"), link("lib.so", "app.py")))
    archive.unpack_beside(str(file), str(tmp_path / "code"))
    assert (tmp_path / "code/lib.so").read_text() == "code"
    file.write_bytes(made(("../ö", "x")))
    with pytest.raises(BadArchiveError, match=r"^'../ö' is no path below"):
        archive.unpack_beside(str(file), str(tmp_path / "other"))


def test_a_process_beside_that_dies_has_unpacked_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_MUCH", 0)
    monkeypatch.setattr(archive.sys, "executable", shutil.which("false"))
    (tmp_path / "a.zip").write_bytes(made(("app.py", "code")))
    with pytest.raises(BadArchiveError, match="ended with 1"):
        archive.unpack_beside(str(tmp_path / "a.zip"), str(tmp_path / "code"))


def test_more_than_aws_unpacks_is_refused():
    with pytest.raises(BadArchiveError, match="smaller than 262144000"):
        verify(made(("zeros", bytes(archive.UNPACKED))))


def test_a_false_size_unpacks_no_more_than_it_says(tmp_path):
    content = bytearray(made(("zeros", bytes(50_000_000))))
    for place in (content.index(b"PK\x01\x02") + 24, content.index(b"PK\x03\x04") + 22):
        content[place : place + 4] = struct.pack("<I", 1000)
    with pytest.raises(BadArchiveError, match="CRC"):
        verify(bytes(content))
    with pytest.raises(BadArchiveError, match="CRC"):
        unpacked(bytes(content), tmp_path)
    assert (tmp_path / "code" / "zeros").stat().st_size <= 1000


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip", made(("a", "x" * 1000))[:-30], made(("a", "x" * 1000))[40:]])
def test_what_is_no_whole_zip_is_refused(content):
    with pytest.raises(BadArchiveError):
        verify(content)


names = st.lists(st.sampled_from(["a", "b", "c", "..", ".", "d"]), min_size=1, max_size=4).map("/".join)


@given(st.lists(st.tuples(names, names, st.booleans()), max_size=8))
def test_whatever_is_unpacked_lies_below_its_root(entries):
    """The law: after an archive was taken, every link's real place is inside; and nothing was written outside."""
    seen = set()
    chosen = [one for one in entries if one[0] not in seen and not seen.add(one[0])]
    content = made(*(link(name, target) if is_link else (name, target) for name, target, is_link in chosen))
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        try:
            into = unpacked(content, root)
        except BadArchiveError:
            assert {path.name for path in root.iterdir()} == {"a.zip", "code"}
            return
        for at, directories, files in os.walk(into):
            for name in [*directories, *files]:
                assert Path(at, name).resolve().is_relative_to(into.resolve())


@given(st.data())
def test_a_zip_with_any_changed_byte_is_unpacked_or_refused(data):
    content = bytearray(made(("app.py", "code" * 50), ("d/", "", stat.S_IFDIR | 0o755), link("l", "app.py")))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BadArchiveError):
        verify(bytes(content))


@pytest.mark.parametrize(
    "entries", [[("a", "x"), ("a/b", "x")], [("a/b", "x"), ("a", "x")], [("n" * 300, "x")], [("ü" * 200, "x")]]
)
def test_what_could_not_be_unpacked_is_refused_at_once(entries):
    with pytest.raises(BadArchiveError):
        verify(made(*entries))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_output_python_does_not_bound_are_refused(method, tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zipped:
        zipped.writestr("a", b"x" * 1000)
    with pytest.raises(BadArchiveError, match="neither stored nor deflated"):
        verify(file.getvalue())
    with pytest.raises(BadArchiveError, match="neither stored nor deflated"):
        unpacked(file.getvalue(), tmp_path)
