"""What AWS has in /var/runtime: boto3 and the runtime interface client, and nothing else of our own environment.

It is a virtual environment without packages of the host, filled with hard links to the few distributions that a handler finds
on AWS. A handler that imports anything else must bring it in its zip or a layer, as on AWS.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import shutil
import sys
import tempfile
import threading
import venv
from pathlib import Path

# boto3 with what it needs (botocore, jmespath, s3transfer, urllib3, python-dateutil, six), and AWS's runtime client.
_PROVIDED = ("boto3", "awslambdaric")
_lock = threading.Lock()


def python_runtime() -> str:
    """Returns the Python runtime identifier of the interpreter that LocalStack runs on, such as python3.13."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


@functools.cache
def _build() -> Path:
    """Returns the directory, from the cache where an earlier emulator has built the same one."""
    distributions = sorted(_with_dependencies(_PROVIDED))
    versions = [f"{name} {importlib.metadata.version(name)}" for name in distributions]
    key = hashlib.sha256("\n".join([sys.version, sys.base_prefix, *versions]).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("PIPEPROOF_CACHE") or tempfile.mkdtemp(prefix="pipeproof-cache-")) / "lambda-runtime"
    root = cache / key
    if root.is_dir():
        return root
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=cache))
    # In an image it is made by one user and read by another.
    unfinished.chmod(0o755)
    venv.EnvBuilder(symlinks=True, with_pip=False).create(unfinished)
    site_packages = next((unfinished / "lib").glob("python*/site-packages"))
    for name in distributions:
        for file in importlib.metadata.files(name) or ():
            source = Path(str(file.locate()))
            # Entry points' scripts and byte code of other interpreters have no place here.
            if ".." in file.parts or "__pycache__" in file.parts or not source.is_file():
                continue
            _link(source, site_packages / file)
    try:
        unfinished.rename(root)
    except OSError:
        # Another emulator was faster.
        shutil.rmtree(unfinished)
    return root


def interpreter() -> Path:
    """Returns the Python that handlers run on. The first call may build the directory (a quarter of a second)."""
    with _lock:
        return _build() / "bin" / "python"


def _with_dependencies(names: tuple[str, ...]) -> set[str]:
    from packaging.requirements import Requirement  # noqa: PLC0415 - only here, and LocalStack has it

    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        for line in importlib.metadata.requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name.lower())
    return found


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        # Another file system, or one without hard links.
        shutil.copy2(source, target)
