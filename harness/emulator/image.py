"""The emulator's image: built from docker/Dockerfile where the engine lacks it, and named by what goes into it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import os
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.emulator.cache import KEPT_S
from harness.errors import UnknownVerdictError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

REPOSITORY = "pipeproof-emulator"
BASE = "debian:trixie-slim"
_TARGET = "emulator"
_NODE = "-node"

_PACKAGE = Path(__file__).parents[1]
# Of the harness, only what runs inside LocalStack, so that nothing else makes an image outdated.
_INSIDE = (
    "__init__.py",
    "documents.py",
    "errors.py",
    "processes.py",
    "redaction.py",
    "served.py",
    "settings.py",
    "faults/__init__.py",
    "faults/carried.py",
    "faults/plan.py",
    "faults/window.py",
    "inside/**/*.py",
    "inside/**/*.mjs",
)
_FILES = ("docker/Dockerfile", "requirements/image.txt", "pyproject.toml", "LICENSE")
_CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")


def tag(*, node: bool = False) -> str:
    """Returns the image's name: repository and a hash of the inputs. The image with Node.js, which is half as large again, has a separate name."""
    digest = hashlib.sha256()
    for name, content in sorted(_inputs().items()):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return f"{REPOSITORY}:{digest.hexdigest()[:12]}{_NODE if node else ''}"


def build(client: DockerClient, *, node: bool = False) -> Iterator[str]:
    """Builds the image if the engine lacks it, and yields the steps. Raises UnknownVerdictError with the builder's own words."""
    from docker.errors import APIError, ImageNotFound  # noqa: PLC0415

    name = tag(node=node)
    try:
        client.images.get(name)
    except ImageNotFound:
        pass
    else:
        return
    yield f"building the image {name} (once; a minute or two)"
    said = ""
    try:
        output = client.api.build(
            fileobj=io.BytesIO(_context()), custom_context=True, dockerfile="docker/Dockerfile", target=_TARGET, tag=name,
            buildargs={"VERSION": __version__, "REVISION": _revision(), "NODE": "1" if node else ""}, use_config_proxy=True, rm=True, forcerm=True, decode=True,
        )  # fmt: skip
        for part in output:
            if "error" in part:
                raise UnknownVerdictError(_explain(name, part["error"], said))
            line = str(part.get("stream", "")).strip()
            if line.startswith("Step "):
                yield f"building the image {name}: {line.split(' : ')[0].lower()}"
            elif line:
                said = line
    except APIError as error:
        raise UnknownVerdictError(_explain(name, error.explanation or str(error), said)) from error
    _sweep(client, name)


def _sweep(client: DockerClient, name: str) -> None:
    """Removes images of other versions that are older than a month. One that a container is of stays."""
    from docker.errors import APIError  # noqa: PLC0415

    for image in client.images.list(REPOSITORY):
        built = datetime.fromisoformat(image.attrs["Created"])
        if name in image.tags or datetime.now(UTC) - built <= timedelta(seconds=KEPT_S):
            continue
        for tagged in image.tags:
            if tagged.startswith(f"{REPOSITORY}:"):
                with contextlib.suppress(APIError):
                    client.images.remove(tagged)


def _explain(name: str, error: str, said: str) -> str:
    message = f"the image {name} could not be built: {error.strip()}" + (f" (before that: {said})" if said else "")
    if "no space left" in f"{error} {said}".lower():
        return f"{message}; make room where the engine keeps its images (docker system df, docker system prune)"
    if BASE.partition(":")[0] in error:
        return f"{message}; where no image registry can be reached, docker/base-image.sh builds {BASE}; or use --emulator embedded"
    return f"{message}; --emulator embedded needs no image"


def _root() -> Path:
    """Returns the repository, else what the wheel carries of it (in its metadata: see pyproject.toml)."""
    checkout = _PACKAGE.parent
    if (checkout / "docker" / "Dockerfile").is_file():
        return checkout
    carried = next(f for f in importlib.metadata.files("pipeproof") or () if f.match("build_context/pyproject.toml"))
    return Path(str(carried.locate())).parent


def _inputs() -> dict[str, bytes]:
    """Returns all that decides what the image holds: path in the build context -> content."""
    root = _root()
    found = {name: (root / name).read_bytes() for name in _FILES}
    for pattern in _INSIDE:
        found |= {f"harness/{path.relative_to(_PACKAGE)}": path.read_bytes() for path in _PACKAGE.glob(pattern)}
    return found


def _context() -> bytes:
    """Returns the build context as a tar: the inputs, the README (which the package's metadata names), and the host's certificates."""
    files = {**_inputs(), "README.md": (_root() / "README.md").read_bytes()}
    bundle = next((Path(path) for name in _CERTIFICATES if (path := os.environ.get(name))), None)
    if bundle is not None and bundle.is_file():
        files["docker/ca-bundle.crt"] = bundle.read_bytes()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = 0o644
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _revision() -> str:
    """Returns the repository's git revision; "unknown" outside one."""
    command = ["git", "-C", str(_PACKAGE.parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done: Any = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
