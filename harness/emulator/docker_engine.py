"""The Docker engine of this machine, if one answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.emulator.external import is_loopback
from harness.errors import UsageError

if TYPE_CHECKING:
    from docker import DockerClient

_ANSWERS_WITHIN_S = 60
_HOW = "start Docker (Debian: apt-get install docker.io, then as root: dockerd), or use --emulator embedded"


def connect() -> DockerClient:
    """Returns a client of the engine. Raises UsageError, with the remedy, where there is none to use."""
    try:
        import docker  # noqa: PLC0415 - an extra; and half a second
        from docker.errors import DockerException  # noqa: PLC0415
    except ImportError as error:
        message = "the container emulator needs the Docker SDK, which is not installed here: pip install 'pipeproof[container]'"
        raise UsageError(message) from error
    host = _host()
    try:
        client = docker.DockerClient(base_url=host, version="auto", timeout=_ANSWERS_WITHIN_S)
        client.ping()
    except (DockerException, OSError, ValueError) as error:
        raise UsageError(_explain(host, error)) from error
    return client


def _host() -> str:
    """Returns DOCKER_HOST, else the host of the current `docker context`. Raises UsageError for another machine, which has its own loopback."""
    from docker.context import ContextAPI  # noqa: PLC0415

    host = os.environ.get("DOCKER_HOST")
    try:
        if not host:
            context = ContextAPI.get_current_context()
            host = (context.Host if context else None) or "unix:///var/run/docker.sock"
        parts = urlsplit(host)
    except Exception as error:  # the SDK raises bare ones for a context that it cannot read
        message = f"the Docker engine cannot be found ({error}): mend DOCKER_HOST or `docker context`, or use --emulator embedded"
        raise UsageError(message) from error
    if parts.scheme not in {"unix", "npipe", "http+unix"} and not is_loopback(parts.hostname or ""):
        message = (
            f"the Docker engine at {host} is on another machine; the emulator is published on this one's loopback only: {_HOW}"
        )
        raise UsageError(message)
    return str(host)


def _explain(host: str, error: Exception) -> str:
    cause: Any = error
    while cause is not None:
        if isinstance(cause, PermissionError):
            return (
                f"the Docker engine at {host} refuses this user (permission denied): add the user to the group docker, "
                "or use --emulator embedded"
            )
        if isinstance(cause, FileNotFoundError | ConnectionRefusedError):
            break
        # requests hides the cause in its arguments, urllib3 in its own.
        inner = next((a for a in cause.args if isinstance(a, BaseException)), None) if cause.args else None
        cause = cause.__cause__ or inner or cause.__context__
    return f"no Docker engine answers at {host}: {_HOW}"
