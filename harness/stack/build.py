"""Builds deployment packages: what `sam build` and `aws cloudformation package` do, with a cache.

A function whose CodeUri has a requirements.txt gets those packages installed beside its code, for the Lambda runtime's Python and
for Linux, whatever the host is. So does a layer with a BuildMethod, which has all of it in the folder where that runtime looks. The cache keeps
pinned packages: a change of the code alone does not install them again. Packages of Node.js functions are built in harness/stack/node.py.
"""

from __future__ import annotations

import compileall
import hashlib
import json
import os
import platform
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from harness.emulator.cache import DEPENDENCIES, PACKAGES, cache_dir, has
from harness.errors import UsageError
from harness.stack import node

# Beside the code of many repositories, and never part of it; further down, a folder of such a name may be a package of the user's.
_EXCLUDED_AT_ROOT = {".git", ".tox", ".venv", ".aws-sam", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
# A zip without times: the same content has the same bytes, and so the same key.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FORMAT = 3


def build_package(code: Path, runtime: str, folder: str = "", metadata: str = "{}") -> Path:
    """Returns a zip of `code` for a runtime such as python3.13; of a layer it is what lies in this folder. `code` is a directory, a single file, or a zip,
    which is taken unchanged. `metadata` is the JSON of the resource's Metadata.

    Raises UsageError for a path that does not exist, or requirements that cannot be installed."""
    if code.is_file() and code.suffix in {".zip", ".jar"}:
        return code
    if not code.exists():
        message = f"{code} does not exist"
        raise UsageError(message)
    packages = cache_dir() / PACKAGES
    packages.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=packages) as scratch:
        # The copy has what links point to, so that is what the fingerprint is of.
        root = Path(scratch) / "tree"
        tree = root / folder
        if code.is_dir():
            shutil.copytree(code, tree, ignore=lambda directory, names: _excluded(code, Path(directory), names))
        else:
            tree.mkdir(parents=True)
            shutil.copy2(code, tree)
        package = packages / f"{_fingerprint(root, f'{runtime} {metadata}')}.zip"
        if has(package):
            return package
        told = json.loads(metadata)
        if told.get("BuildMethod") == "makefile":
            tree = _made(tree, told["Target"], Path(scratch) / "made")
            root = tree
        elif runtime.startswith("nodejs"):
            node.build(tree, runtime, told, code)
        unfinished = Path(scratch) / "package.zip"
        requirements = tree / "requirements.txt"
        if runtime.startswith("python") and requirements.is_file():
            installed = _installed(requirements, root, runtime, folder)
            if _overlap(root, installed):
                _add_missing(installed, root)
            else:
                shutil.copyfile(installed, unfinished)
        _compile(root, runtime)
        _zip(root, unfinished)
        unfinished.replace(package)
    return package


def _made(tree: Path, target: str, artifacts: Path) -> Path:
    """Runs the target of the code's Makefile. Returns the directory where the target has put the package.

    Source: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-custom-runtimes.html"""
    artifacts.mkdir()
    command = ["make", target]
    try:
        done = subprocess.run(
            command, cwd=tree, env={**os.environ, "ARTIFACTS_DIR": str(artifacts)}, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise UsageError("make is not found: Metadata.BuildMethod makefile needs it") from error
    if done.returncode:
        raise UsageError(f"{' '.join(command)} failed:\n{(done.stderr or done.stdout).strip()}")
    return artifacts


# A name with a version, perhaps with a marker and hashes, and nothing else.
_PINNED = re.compile(r"[\w.-]+(\[[^\]]*\])?\s*==[^\s;*]+\s*(;[^#]*?)?(\s--hash=\S+)*\s*(\s#.*)?", re.ASCII)


def _installed(requirements: Path, root: Path, runtime: str, folder: str) -> Path:
    """Returns a zip that has the packages in `folder`. Installs them again after each change of the code, unless all of them are pinned."""
    lines = [line.strip() for line in requirements.read_text("utf-8", "replace").replace("\\\n", " ").splitlines()]
    pinned = all(_PINNED.fullmatch(line) for line in lines if line and not line.startswith("#"))
    of = "\n".join(lines) if pinned else _fingerprint(root, runtime)
    name = hashlib.sha256(f"{_FORMAT} {runtime} {platform.machine()} {sys.version_info[:2]} {folder}\n{of}".encode()).hexdigest()
    kept = cache_dir() / DEPENDENCIES / f"{name}.zip"
    if not has(kept):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="build-", dir=kept.parent) as scratch:
            target = Path(scratch) / "tree" / folder
            target.mkdir(parents=True)
            _install(requirements, target, runtime)
            _compile(Path(scratch) / "tree", runtime)
            unfinished = Path(scratch) / "dependencies.zip"
            _zip(Path(scratch) / "tree", unfinished)
            unfinished.replace(kept)
    return kept


def _overlap(root: Path, installed: Path) -> bool:
    """Returns whether the code and the packages have a file with the same path."""
    with zipfile.ZipFile(installed) as archive:
        return any((root / name).exists() for name in archive.namelist())


def _add_missing(installed: Path, root: Path) -> None:
    """Unpacks the files that the code does not have. `sam build` also copies the code over the packages."""
    with zipfile.ZipFile(installed) as archive:
        for info in archive.infolist():
            # Python would run the package's byte code in place of the code.
            if not info.filename.endswith(".pyc") and not (root / info.filename).exists():
                Path(archive.extract(info, root)).chmod(info.external_attr >> 16)


def _excluded(root: Path, directory: Path, names: list[str]) -> set[str]:
    return {
        name
        for name in names
        if name == "__pycache__" or name.endswith(".pyc") or (directory == root and name in _EXCLUDED_AT_ROOT)
    }


def _fingerprint(tree: Path, runtime: str) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {runtime} {platform.machine()} {sys.version_info[:2]}".encode())
    for file in sorted(path for path in tree.rglob("*") if path.is_file()):
        digest.update(f"\0{file.relative_to(tree)}\0{file.stat().st_mode & 0o111}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _install(requirements: Path, target: Path, runtime: str) -> None:
    from uv import find_uv_bin  # noqa: PLC0415 - looks for its binary at import

    command = [
        find_uv_bin(), "pip", "install", "--quiet", "--target", str(target), "--requirement", str(requirements),
        "--python-version", runtime.removeprefix("python"), "--python-platform", "linux", "--only-binary", ":all:",
        "--link-mode", "copy", "--no-config",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"the packages of {requirements.name} could not be installed for {runtime}:\n{done.stderr.strip()}"
        raise UsageError(message)


def _compile(tree: Path, runtime: str) -> None:
    """Adds byte code of this Python, so that a cold start need not compile; any other Python leaves it alone. File times do not matter."""
    if runtime.startswith("python"):
        compileall.compile_dir(
            tree, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, stripdir=str(tree), workers=0
        )


def _zip(tree: Path, target: Path) -> None:
    """Appends the files to a zip, or creates it."""
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for directory, names, files in os.walk(tree):
            names.sort()
            for name in sorted(files):
                file = Path(directory) / name
                info = zipfile.ZipInfo(str(file.relative_to(tree)), _EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = (0o755 if file.stat().st_mode & 0o111 else 0o644) << 16
                archive.writestr(info, file.read_bytes())
