"""GET /_pipeproof/emulator: what the harness must know of the emulator before it deploys to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localstack.http import Response, route

from harness import __version__
from harness.inside.lambda_.runtime_dir import python_runtime
from harness.inside.patches.apply import states

if TYPE_CHECKING:
    from localstack.http import Request


@route("/_pipeproof/emulator", methods=["GET"])
def serve(_request: Request) -> Response:
    """Returns {pipeproof: version, python_runtime: the runtime identifier that functions may have, patches: [{module, names, reason, state}]}"""
    return Response.for_json({"pipeproof": __version__, "python_runtime": python_runtime(), "patches": states()})
