"""Ports of 127.0.0.1."""

from __future__ import annotations

import socket

from harness.errors import UsageError


def free_port() -> int:
    """Returns a port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wanted_port(port: int) -> int:
    """Returns the port itself. Raises UsageError where it cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            message = f"port {port} of 127.0.0.1 is taken or not allowed ({error.strerror}): choose another with --port"
            raise UsageError(message) from error
    return port
