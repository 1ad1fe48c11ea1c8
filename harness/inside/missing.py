"""Services that LocalStack's free edition has not: moto's backends behind LocalStack's dispatcher, with operations of our own where moto only pretends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.services.moto import call_moto
from localstack.services.plugins import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localstack.aws.api import RequestContext


def service(name: str, own: Mapping[str, Callable[[RequestContext, Any], Any]] | None = None) -> Service:
    """Returns a service whose operations are moto's, but for `own`: {operation: function of context and request}."""
    specification = load_service(name)
    table = {operation: (own or {}).get(operation, _by_moto) for operation in specification.operation_names}
    return Service(name=name, skeleton=Skeleton(specification, table))


def _by_moto(context: RequestContext, _request: Any) -> Any:
    return call_moto(context)
