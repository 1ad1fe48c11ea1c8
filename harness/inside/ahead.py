"""/_pipeproof/ahead: POST {account, region, services} loads services, and LocalStack's own clients of them, before the first request needs them: while the harness still packages
the functions that it will deploy. A service that is not loaded then is loaded by its first request, as always."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from localstack.aws.connect import connect_to
from localstack.http import Response, route
from localstack.services.plugins import SERVICE_PLUGINS

from harness.inside.understood import understood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localstack.http import Request

LOG = logging.getLogger(__name__)


@route("/_pipeproof/ahead", methods=["POST"])
@understood
def serve(request: Request) -> Response:
    """Answers {services} at once, and loads them beside other requests."""
    asked = request.get_json()
    services = [str(name) for name in asked["services"]]
    threading.Thread(target=_load, args=(asked["account"], asked["region"], services), name="ahead", daemon=True).start()
    return Response.for_json({"services": services})


def _load(account: str, region: str, services: Sequence[str]) -> None:
    clients = connect_to(aws_access_key_id=account, region_name=region)
    for name in services:
        try:
            SERVICE_PLUGINS.require(name)
            getattr(clients, {"lambda": "lambda_"}.get(name, name))
        except Exception:
            LOG.debug("%s could not be loaded ahead", name, exc_info=True)
