"""The connection that a request came on. Cut, the client sees it closed without an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localstack.http import Request

    from harness.inside.server import Connection

_KEY = "pipeproof.connection"


def remember(environ: dict[str, Any], connection: Connection) -> None:
    """Keeps the connection in the WSGI environment of its request."""
    environ[_KEY] = connection


def of(environ: Mapping[str, Any]) -> Connection:
    """Returns the connection of a request that came on one."""
    connection: Connection = environ[_KEY]
    return connection


def is_from_outside(request: Request) -> bool:
    """Returns whether a request came on a connection: LocalStack calls itself in memory."""
    return _KEY in request.environ


def cut(request: Request) -> bool:
    """Cuts the connection. Returns False where there is none: LocalStack calls itself in memory."""
    connection: Connection | None = request.environ.get(_KEY)
    if connection is None:
        return False
    connection.cut()
    return True
