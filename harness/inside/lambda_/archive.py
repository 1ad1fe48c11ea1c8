"""The zip of a function or a layer: what is in it, and unpacking it into a directory, out of which nothing in it leads.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 250 MB unpacked.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

UNPACKED = 262_144_000
"""The bytes of all entries, at most."""

ENTRIES = 100_000
_CHUNK = 1 << 20
_MUCH = 1 << 20
"""Bytes of a zip that take longer to unpack than a process takes to begin."""
_LINKS_IN_A_ROW = 40
_PATH_MAX, _NAME_MAX = 4096, 255


class BadArchiveError(ValueError):
    """The archive is not unpacked, and why."""


class Entry(NamedTuple):
    """`target` is that of a symbolic link, None for files and directories."""

    info: zipfile.ZipInfo
    parts: tuple[str, ...]
    target: str | None


def entries(archive: zipfile.ZipFile) -> list[Entry]:
    """Returns what is in an archive. Raises BadArchiveError where an entry would be outside of the directory that the archive is unpacked into, or is no file,
    directory or link, or where it is too much."""
    infos = archive.infolist()
    if len(infos) > ENTRIES:
        raise BadArchiveError(f"it has {len(infos):,} entries; at most {ENTRIES:,} are unpacked")
    for info in infos:
        # Python bounds what it unpacks of these two alone.
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise BadArchiveError(f"{info.filename!r} is neither stored nor deflated (compression method {info.compress_type})")
    if (size := sum(info.file_size for info in infos)) >= UNPACKED:
        raise BadArchiveError(f"Unzipped size must be smaller than {UNPACKED} bytes: its entries have {size:,}")
    found = [Entry(info, _parts(info.filename), _target(archive, info)) for info in infos]
    links = {entry.parts: entry.target for entry in found if entry.target is not None}
    files = {entry.parts for entry in found if not (entry.info.filename or "/").endswith("/")} - links.keys()
    for entry in found:
        name = entry.info.filename
        if any(entry.parts[:count] in files for count in range(1, len(entry.parts))):
            raise BadArchiveError(f"{name!r} lies below a file")
        if any(entry.parts[:count] in links for count in range(len(entry.parts))):
            raise BadArchiveError(f"{name!r} lies below a symbolic link")
        if entry.target is None and entry.parts in links:
            raise BadArchiveError(f"{name!r} is there as a symbolic link too")
        if entry.target is not None and not _stays(entry.parts, links):
            raise BadArchiveError(f"{name!r} is a symbolic link that leads out of the archive, to {entry.target!r}")
    return found


_verified: set[bytes] = set()


def verify(content: bytes) -> None:
    """Reads a whole archive, unless one with the same bytes was read before: the functions of a stack mostly share theirs.

    Raises BadArchiveError as `entries` does, and where an entry cannot be read or has not the size that is written down for it."""
    if (digest := hashlib.sha256(content).digest()) in _verified:
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in entries(archive):
                with archive.open(entry.info) as file:
                    while file.read(_CHUNK):
                        pass
    except BadArchiveError:
        raise
    except _UNREADABLE as error:
        raise BadArchiveError(f"Could not unzip uploaded file: {error}") from error
    _verified.add(digest)


def unpack(path: str, directory: str) -> None:
    """Unpacks the archive at a path. Raises BadArchiveError as `verify` does; what was unpacked until then stays."""
    root = Path(directory)
    try:
        with zipfile.ZipFile(path) as archive:
            found = entries(archive)
            for entry in found:
                if entry.target is None:
                    _write(archive, entry, root.joinpath(*entry.parts))
            for entry in found:
                if entry.target is not None:
                    link = root.joinpath(*entry.parts)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.unlink(missing_ok=True)
                    link.symlink_to(entry.target)
    except BadArchiveError:
        raise
    except _UNREADABLE as error:
        raise BadArchiveError(f"Could not unzip uploaded file: {error}") from error


def unpack_beside(path: str, directory: str) -> None:
    """Does what `unpack` does; where there is much to unpack, in another process. LocalStack deploys the rest of the stack meanwhile, and all its threads share one core."""
    if not Path(path).exists() or Path(path).stat().st_size < _MUCH:
        unpack(path, directory)
        return
    command = [sys.executable, "-m", "harness.inside.lambda_.archive", path, directory]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        why = done.stderr.decode(errors="replace").strip()
        raise BadArchiveError(why or f"Could not unzip uploaded file: the process that did it ended with {done.returncode}")


# What reading a zip raises where it is no zip, is cut off, has another size or checksum, needs a password, or is packed in a way that is not known.
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, RuntimeError, ValueError, OverflowError,
)  # fmt: skip


def _parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or len(name) > _PATH_MAX
        or any(len(part.encode(errors="replace")) > _NAME_MAX for part in path.parts)
    ):
        raise BadArchiveError(f"{name[:200]!r} is no path below the directory of the archive")
    return path.parts


def _target(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind in {0, stat.S_IFREG, stat.S_IFDIR}:
        return None
    if kind != stat.S_IFLNK:
        raise BadArchiveError(f"{info.filename!r} is neither a file nor a directory nor a symbolic link")
    if info.file_size > _PATH_MAX:
        raise BadArchiveError(f"{info.filename!r} is a symbolic link to a name of {info.file_size:,} bytes")
    target = archive.read(info).decode("utf-8", "surrogateescape")
    if not target or "\0" in target:
        raise BadArchiveError(f"{info.filename!r} is a symbolic link to nothing")
    return target


def _stays(link: tuple[str, ...], links: Mapping[tuple[str, ...], str]) -> bool:
    """Returns whether a link leads to a place below the root, followed as the kernel does it."""
    at: list[str] = list(link[:-1])
    left = [*reversed(PurePosixPath(links[link]).parts)]
    followed = 0
    while left:
        part = left.pop()
        if part == "/":
            return False
        if part == "..":
            if not at:
                return False
            at.pop()
            continue
        at.append(part)
        if (target := links.get(tuple(at))) is not None:
            followed += 1
            if followed > _LINKS_IN_A_ROW:
                return False
            at.pop()
            left += reversed(PurePosixPath(target).parts)
    return True


def _write(archive: zipfile.ZipFile, entry: Entry, to: Path) -> None:
    if not entry.parts or entry.info.is_dir():
        to.mkdir(parents=True, exist_ok=True)
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry.info) as source, to.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
    # Neither setuid nor setgid; LocalStack too lets everybody do everything where the archive says nothing.
    to.chmod((entry.info.external_attr >> 16) & 0o777 or 0o777)


def main() -> None:
    """Unpacks the archive at the first argument into the directory at the second. Exits with what is wrong with it."""
    try:
        unpack(*sys.argv[1:])
    except BadArchiveError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
