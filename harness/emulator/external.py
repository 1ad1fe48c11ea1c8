"""An endpoint that already runs: an emulator that `pipeproof up` left, an official LocalStack, another emulator."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import urllib3

from harness.emulator.emulator import Description
from harness.emulator.health import SILENCE_S, ask
from harness.errors import EmulatorDiedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


class External:
    """Only looked at, never started or stopped. A host that is not loopback must be allowed explicitly."""

    stays = True

    def __init__(self, endpoint: str, *, allow_remote: bool = False) -> None:
        self._endpoint = require_endpoint(endpoint, allow_remote=allow_remote)

    def prepare(self, *, node: bool = False) -> Iterator[str]:  # noqa: ARG002 - it has Node.js, or not
        """Does nothing: the emulator runs already."""
        yield from ()

    def start(self) -> Description:
        """Asks the endpoint for its health. Raises UsageError where nothing answers, or another server does."""
        try:
            health = ask(self._endpoint)
        except urllib3.exceptions.HTTPError as error:
            message = f"nothing answers at {self._endpoint}/_localstack/health: is the emulator running? `pipeproof up` starts one"
            raise UsageError(message) from error
        except ValueError as error:
            raise UsageError(
                f"{self._endpoint}/_localstack/health does not answer as LocalStack does: another server listens there"
            ) from error
        return Description("external", health.edition, health.version, self._endpoint, health.python_runtime, health.abilities)

    def release(self) -> None:
        """Does nothing, as `stop`."""

    def stop(self) -> None:
        """Does nothing: this process did not start the endpoint."""

    def check(self) -> None:
        """Raises EmulatorDiedError where it no longer answers, or not within a minute."""
        try:
            ask(self._endpoint, SILENCE_S)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            message = f"the external emulator at {self._endpoint} no longer answers ({type(error).__name__})"
            raise EmulatorDiedError(message) from error


def require_endpoint(endpoint: str, *, allow_remote: bool) -> str:
    """Returns an endpoint without a slash at its end. Raises UsageError for what is none, and for one on another machine unless that is allowed."""
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"{endpoint!r} is not an endpoint: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        message = f"{endpoint!r} is not an endpoint: expected something like http://127.0.0.1:4566"
        raise UsageError(message)
    if not allow_remote and not is_loopback(parts.hostname):
        message = f"{parts.hostname} is not this machine; pass --allow-remote if data may really be sent there"
        raise UsageError(message)
    return endpoint.rstrip("/")


def is_loopback(host: str) -> bool:
    """Returns whether the host name is certain to mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
