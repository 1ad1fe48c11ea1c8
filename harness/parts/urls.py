"""URLs of this machine: what is API Gateway on AWS is the emulator here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.emulator.external import is_loopback
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.parts.ports import Context

# https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-call-api.html
# LocalStack puts its own host into the outputs of a stack, whose names below it no resolver knows where it is an address.
_EXECUTE_API = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\.(?P<of>.+)")
_LOCALSTACK = "localhost.localstack.cloud"
_OF_AWS = re.compile(r"[a-z0-9-]+\.amazonaws\.com(\.cn)?")


def local_url(url: str, context: Context, where: str) -> str:
    """Returns the URL, or the emulator's own for one of API Gateway on AWS. `where` names it in messages.

    Raises UsageError for a host that is not this machine, unless the run allows remote ones."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = _EXECUTE_API.fullmatch(host)
    if found and (
        is_loopback(found["of"]) or found["of"] == _LOCALSTACK or (_OF_AWS.fullmatch(found["of"]) and not context.allow_remote)
    ):
        return f"{context.endpoint}/_aws/execute-api/{found['api']}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    if parts.scheme not in {"http", "https"} or not host:
        raise UsageError(f"{where}: {url!r} is not a URL: expected something like ${{endpoint}}/_aws/execute-api/…")
    if not (context.allow_remote or is_loopback(host)):
        raise UsageError(f"{where}: {host} is not this machine; pass --allow-remote if the records may really be sent there")
    return url
