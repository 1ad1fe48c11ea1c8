"""The connection that a request came on. Cut, the client sees it closed without an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localstack.http import Request

_KEY = "pipeproof.twisted_request"


def remember(environ: dict[str, Any], twisted_request: Any) -> None:
    """Keeps Twisted's request beside the WSGI environment that is made of it (see patches/gateway.py)."""
    environ[_KEY] = twisted_request


def is_from_outside(request: Request) -> bool:
    """Returns whether a request came on a connection: LocalStack calls itself in memory."""
    return request.environ.get(_KEY) is not None


def cut(request: Request) -> bool:
    """Cuts the connection. Returns False where there is none: LocalStack calls itself in memory."""
    twisted_request = request.environ.get(_KEY)
    if twisted_request is None:
        return False
    from twisted.internet import reactor  # noqa: PLC0415 - LocalStack's own

    if (channel := twisted_request.channel) is not None:
        # None where the client has gone already, which is as good.
        reactor.callFromThread(channel.transport.abortConnection)
    return True
