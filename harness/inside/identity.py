"""GET /_pipeproof/emulator: what the harness must know of the emulator before it deploys to it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from localstack.http import Response, route
from plux import PluginManager

from harness import __version__
from harness.inside.lambda_.node_dir import node_runtime
from harness.inside.lambda_.runtime_dir import python_runtime
from harness.inside.patches.apply import states

if TYPE_CHECKING:
    from localstack.http import Request


@route("/_pipeproof/emulator", methods=["GET"])
def serve(_request: Request) -> Response:
    """Returns {pipeproof: version, python_runtime and node_runtime: the runtimes that functions run on, resource_types: those of CloudFormation,
    patches: [{module, names, reason, state}]}. `node_runtime` is null where there is no Node.js."""
    told = {"python_runtime": python_runtime(), "node_runtime": node_runtime(), "resource_types": _resource_types()}
    return Response.for_json({"pipeproof": __version__, **told, "patches": states()})


@functools.cache
def _resource_types() -> list[str]:
    """Returns the types that a stack may have: each has a plugin of this name."""
    return sorted(set(PluginManager("localstack.cloudformation.resource_providers").list_names()))
