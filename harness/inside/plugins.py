"""The entry points that LocalStack's plugin system (plux) loads. Each imports what it needs only when LocalStack asks for it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from localstack.runtime import hooks
from localstack.runtime.server.core import RuntimeServerPlugin
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.plugins import Service, aws_provider

if TYPE_CHECKING:
    from localstack.runtime.server.core import RuntimeServer
    from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor


class ProcessExecutorPlugin(RuntimeExecutorPlugin):  # type: ignore[misc]
    """LAMBDA_RUNTIME_EXECUTOR=pipeproof"""

    name = "pipeproof"

    def load(self, *_: Any, **__: Any) -> type[RuntimeExecutor]:
        from harness.inside.lambda_.executor import ProcessExecutor  # noqa: PLC0415

        return ProcessExecutor


class ServerPlugin(RuntimeServerPlugin):  # type: ignore[misc]
    """GATEWAY_SERVER=pipeproof"""

    name = "pipeproof"

    def load(self, *_: Any, **__: Any) -> RuntimeServer:
        from harness.inside.server import PipeproofServer  # noqa: PLC0415

        return PipeproofServer()


@aws_provider(api="kinesis", name="pipeproof")
def kinesis() -> Service:
    """Returns the Kinesis service for PROVIDER_OVERRIDE_KINESIS=pipeproof."""
    from localstack.services.moto import MotoFallbackDispatcher  # noqa: PLC0415

    from harness.inside.kinesis.provider import PipeproofKinesisProvider  # noqa: PLC0415

    return Service.for_provider(PipeproofKinesisProvider(), dispatch_table_factory=MotoFallbackDispatcher)


@aws_provider(api="dynamodb", name="pipeproof")
def dynamodb() -> Service:
    """Returns the DynamoDB service for PROVIDER_OVERRIDE_DYNAMODB=pipeproof."""
    from harness.inside.dynamodb.provider import service  # noqa: PLC0415

    return service()


@aws_provider(api="dynamodbstreams", name="pipeproof")
def dynamodbstreams() -> Service:
    """Returns the DynamoDB Streams service for PROVIDER_OVERRIDE_DYNAMODBSTREAMS=pipeproof."""
    from harness.inside.dynamodb.streams import PipeproofDynamoDBStreamsProvider  # noqa: PLC0415

    return Service.for_provider(PipeproofDynamoDBStreamsProvider())


@aws_provider(api="firehose", name="pipeproof")
def firehose() -> Service:
    """Returns the Firehose service for PROVIDER_OVERRIDE_FIREHOSE=pipeproof."""
    from harness.inside.firehose.provider import PipeproofFirehoseProvider  # noqa: PLC0415

    return Service.for_provider(PipeproofFirehoseProvider())


@aws_provider(api="glue", name="default")
def glue() -> Service:
    """Returns Glue's catalogue."""
    from harness.inside.missing import service  # noqa: PLC0415

    return service("glue")


@aws_provider(api="athena", name="default")
def athena() -> Service:
    """Returns Athena, whose queries run in DuckDB."""
    from harness.inside.athena.service import OPERATIONS  # noqa: PLC0415
    from harness.inside.missing import service  # noqa: PLC0415

    return service("athena", OPERATIONS)


@aws_provider(api="apigatewayv2", name="default")
def apigatewayv2() -> Service:
    """Returns HTTP APIs."""
    from localstack.services.plugins import SERVICE_PLUGINS  # noqa: PLC0415

    from harness.inside.http_api.service import OPERATIONS  # noqa: PLC0415
    from harness.inside.missing import service  # noqa: PLC0415

    # It registers the addresses of APIs, of both versions.
    SERVICE_PLUGINS.require("apigateway")
    return service("apigatewayv2", OPERATIONS)


@aws_provider(api="pipes", name="default")
def pipes() -> Service:
    """Returns EventBridge Pipes."""
    from harness.inside.events.pipes import PipeproofPipesProvider  # noqa: PLC0415

    return Service.for_provider(PipeproofPipesProvider())


@hooks.on_infra_start()
def attach() -> None:
    """Attaches the patches, the routes, the counting of requests and the faults before LocalStack starts serving."""
    from localstack import config  # noqa: PLC0415
    from localstack.aws import handlers  # noqa: PLC0415
    from localstack.services.edge import ROUTER  # noqa: PLC0415

    from harness.inside import accounts, ahead, bounds, gate, identity, journal, nowhere, schedules, served, service_metrics, writes  # noqa: PLC0415
    from harness.inside.events import scheduler  # noqa: PLC0415
    from harness.inside.faults import control, gateway  # noqa: PLC0415
    from harness.inside.firehose import flush  # noqa: PLC0415
    from harness.inside.gauges import activity, requests  # noqa: PLC0415
    from harness.inside.iam import enforcement  # noqa: PLC0415
    from harness.inside.kinesis import script  # noqa: PLC0415
    from harness.inside.lambda_ import (  # noqa: PLC0415
        limits,
        saved_code,
    )
    from harness.inside.patches.apply import PatchRefusedError, apply  # noqa: PLC0415
    from harness.inside.refusals import check as refusals  # noqa: PLC0415

    if config.LAMBDA_RUNTIME_EXECUTOR != "pipeproof":
        # This LocalStack only has pipeproof installed beside it, and did not ask for it.
        return
    if config.GATEWAY_SERVER != "pipeproof":
        # A request would be taken for one of LocalStack's own, which may do everything.
        raise PatchRefusedError(f"LAMBDA_RUNTIME_EXECUTOR=pipeproof needs GATEWAY_SERVER=pipeproof, not {config.GATEWAY_SERVER}")
    apply()
    scheduler.start()
    ROUTER.add(activity.serve)
    ROUTER.add(identity.serve)
    ROUTER.add(accounts.serve)
    ROUTER.add(ahead.serve)
    ROUTER.add(control.serve)
    ROUTER.add(schedules.serve)
    ROUTER.add(flush.serve)
    ROUTER.add(saved_code.serve)
    ROUTER.add(enforcement.serve)
    ROUTER.add(journal.serve)
    ROUTER.add(script.serve)
    ROUTER.add(writes.serve)
    ROUTER.add(served.serve)
    ROUTER.add(served.control)
    handlers.serve_custom_service_request_handlers.append(gate.check_signature)
    handlers.serve_custom_service_request_handlers.append(nowhere.not_found)
    handlers.serve_custom_service_request_handlers.append(limits.check_payload_size)
    handlers.serve_custom_service_request_handlers.append(bounds.check)
    handlers.serve_custom_service_request_handlers.append(refusals.check)
    handlers.serve_custom_service_request_handlers.append(requests.request_begins)
    handlers.serve_custom_service_request_handlers.append(journal.on_request)
    handlers.serve_custom_service_request_handlers.append(enforcement.on_request)
    handlers.serve_custom_service_request_handlers.append(gateway.on_request)
    handlers.serve_custom_service_request_handlers.append(writes.on_request)
    handlers.run_custom_response_handlers.append(enforcement.on_response)
    handlers.run_custom_response_handlers.append(gateway.on_response)
    handlers.run_custom_response_handlers.append(journal.on_response)
    handlers.run_custom_response_handlers.append(writes.on_response)
    handlers.run_custom_finalizers.append(service_metrics.request_served)
    handlers.run_custom_finalizers.append(requests.request_ends)


@hooks.on_infra_ready()
def settle() -> None:
    """Takes what LocalStack consists of out of the search for garbage: it stays as long as the process, and each full search would walk all of it."""
    gc.collect()
    gc.freeze()
