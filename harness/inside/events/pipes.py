"""EventBridge Pipes: from a queue or a stream, through a filter and an enrichment, to a target.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes.html
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localstack.aws.api.pipes import ConflictException, NotFoundException, PipesApi
from localstack.aws.api.pipes import ValidationException as PipeValidationException
from localstack.services.lambda_.event_source_mapping.pipe_utils import get_internal_client
from localstack.services.lambda_.event_source_mapping.pollers.poller import EmptyPollResultsException
from localstack.utils.aws.client_types import ServicePrincipal

from harness.inside.dynamodb.mapping import DynamoDBMapping
from harness.inside.events.pipe_target import Processor
from harness.inside.kinesis.mapping import KinesisMapping
from harness.inside.sqs.mapping import SqsMapping
from harness.inside.streams.checkpoints import OUTLIVING

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext

LOG = logging.getLogger(__name__)

_POLL_S, _ERROR_WAIT_S = 0.1, 1.0


@dataclass
class Pipe:
    """A pipe as it was created; `described` is the answer of DescribePipe."""

    account: str
    region: str
    described: dict[str, Any]
    poller: Any = None
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def arn(self) -> str:
        """Returns the pipe's ARN."""
        return str(self.described["Arn"])


_pipes: dict[tuple[str, str, str], Pipe] = {}


class PipeKinesis(KinesisMapping):
    """Reads a Kinesis stream for a pipe: records are flat, without the member `kinesis`."""

    def configured(self, name: str, default: Any = None) -> Any:
        return _configured(self, name, default)

    def events(self, shard_id: str, batch: Any) -> list[dict[str, Any]]:
        return [{**event.pop("kinesis"), **event} for event in super().events(shard_id, batch)]

    def view(self, event: dict[str, Any]) -> dict[str, Any]:
        return super().view({"kinesis": event})


class PipeDynamoDB(DynamoDBMapping):
    """Reads a DynamoDB stream for a pipe."""

    def configured(self, name: str, default: Any = None) -> Any:
        return _configured(self, name, default)


class PipeSqs(SqsMapping):
    """Reads a queue for a pipe, a batch at a time for each free worker."""

    @property
    def _configuration(self) -> dict[str, Any]:
        return {}

    @property
    def _reserved(self) -> int:
        return 5


def _configured(mapping: Any, name: str, default: Any) -> Any:
    if name == "BisectBatchOnFunctionError":
        return mapping.stream_parameters.get("OnPartialBatchItemFailure") == "AUTOMATIC_BISECT"
    return mapping.stream_parameters.get(name) or default


class PipeproofPipesProvider(PipesApi):  # type: ignore[misc]
    """The API of EventBridge Pipes."""

    def create_pipe(self, context: RequestContext, name: str, source: str, target: str, role_arn: str, **options: Any) -> Any:
        key = (context.account_id, context.region, name)
        if key in _pipes:
            raise ConflictException(f"Pipe {name} already exists.", resourceId=name, resourceType="pipe")
        wanted = options.get("desired_state") or "RUNNING"
        described = {
            "Arn": f"arn:aws:pipes:{context.region}:{context.account_id}:pipe/{name}", "Name": name, "Source": source, "Target": target,
            "RoleArn": role_arn, "DesiredState": wanted, "CurrentState": "CREATING",
            "CreationTime": datetime.now(UTC), "LastModifiedTime": datetime.now(UTC),
        }  # fmt: skip
        for given, kept in _OPTIONS.items():
            if options.get(given):
                described[kept] = options[given]
        pipe = _pipes[key] = Pipe(context.account_id, context.region, described)
        try:
            _set_state(pipe, wanted)
        except Exception:
            del _pipes[key]
            raise
        return _brief(pipe)

    def describe_pipe(self, context: RequestContext, name: str, **_: Any) -> Any:
        return _pipe(context, name).described

    def list_pipes(self, context: RequestContext, **options: Any) -> Any:
        prefix = options.get("name_prefix") or ""
        found = [
            pipe for key, pipe in _pipes.items() if key[:2] == (context.account_id, context.region) and key[2].startswith(prefix)
        ]
        return {
            "Pipes": [{**_brief(pipe), "Source": pipe.described["Source"], "Target": pipe.described["Target"]} for pipe in found]
        }

    def update_pipe(self, context: RequestContext, name: str, role_arn: str, **options: Any) -> Any:
        pipe = _pipe(context, name)
        _stop(pipe)
        for given, kept in {**_OPTIONS, "target": "Target"}.items():
            if options.get(given):
                pipe.described[kept] = options[given]
        pipe.described |= {"RoleArn": role_arn, "LastModifiedTime": datetime.now(UTC)}
        _set_state(pipe, options.get("desired_state") or pipe.described["DesiredState"])
        return _brief(pipe)

    def start_pipe(self, context: RequestContext, name: str, **_: Any) -> Any:
        pipe = _pipe(context, name)
        _set_state(pipe, "RUNNING")
        return _brief(pipe)

    def stop_pipe(self, context: RequestContext, name: str, **_: Any) -> Any:
        pipe = _pipe(context, name)
        _set_state(pipe, "STOPPED")
        return _brief(pipe)

    def delete_pipe(self, context: RequestContext, name: str, **_: Any) -> Any:
        pipe = _pipe(context, name)
        _stop(pipe)
        del _pipes[context.account_id, context.region, name]
        OUTLIVING.discard(pipe.arn)
        return {**_brief(pipe), "CurrentState": "DELETING"}


_OPTIONS = {
    "description": "Description", "source_parameters": "SourceParameters", "enrichment": "Enrichment",
    "enrichment_parameters": "EnrichmentParameters", "target_parameters": "TargetParameters", "tags": "Tags",
}  # fmt: skip


def _brief(pipe: Pipe) -> dict[str, Any]:
    names = ("Arn", "Name", "DesiredState", "CurrentState", "CreationTime", "LastModifiedTime")
    return {name: pipe.described[name] for name in names}


def _pipe(context: RequestContext, name: str) -> Pipe:
    pipe = _pipes.get((context.account_id, context.region, name))
    if pipe is None:
        raise NotFoundException(f"Pipe {name} does not exist.")
    return pipe


def _set_state(pipe: Pipe, wanted: str) -> None:
    pipe.described["DesiredState"] = wanted
    if wanted == "STOPPED":
        _stop(pipe)
    elif pipe.poller is None:
        pipe.stopped = threading.Event()
        pipe.poller = _poller(pipe)
        threading.Thread(
            target=_run, args=(pipe, pipe.poller, pipe.stopped), name=f"pipe-{pipe.described['Name']}", daemon=True
        ).start()
        pipe.described["CurrentState"] = "RUNNING"


def _stop(pipe: Pipe) -> None:
    pipe.stopped.set()
    if pipe.poller is not None:
        pipe.poller.close()
        pipe.poller = None
    pipe.described["CurrentState"] = "STOPPED"


def _poller(pipe: Pipe) -> Any:
    source, parameters = pipe.described["Source"], dict(pipe.described.get("SourceParameters") or {})
    client = get_internal_client(
        arn=source, role_arn=pipe.described["RoleArn"], service_principal=ServicePrincipal.pipes, source_arn=pipe.arn
    )
    common = {"source_arn": source, "source_parameters": parameters, "source_client": client, "processor": Processor(pipe)}
    OUTLIVING.add(pipe.arn)
    match source.split(":")[2]:
        case "sqs":
            parameters.setdefault("SqsQueueParameters", {})
            return PipeSqs(**common)
        case "kinesis":
            parameters["KinesisStreamParameters"] = {"BatchSize": 100, **parameters.get("KinesisStreamParameters", {})}
            return PipeKinesis(esm_uuid=pipe.arn, invoke_identity_arn=pipe.described["RoleArn"], kinesis_namespace=False, **common)
        case "dynamodb":
            parameters["DynamoDBStreamParameters"] = {"BatchSize": 100, **parameters.get("DynamoDBStreamParameters", {})}
            return PipeDynamoDB(esm_uuid=pipe.arn, **common)
        case other:
            raise PipeValidationException(f"Sources of {other} are not supported")


def _run(pipe: Pipe, poller: Any, stopped: threading.Event) -> None:
    while not stopped.is_set():
        wait_s = _POLL_S
        try:
            poller.poll_events()
        except EmptyPollResultsException:
            wait_s = _POLL_S * 5
        except Exception as error:  # noqa: BLE001 - a source that cannot be read for a while must not end the pipe
            LOG.warning("Pipe %s cannot read its source: %s", pipe.described["Name"], error)
            wait_s = _ERROR_WAIT_S
        stopped.wait(wait_s)


def sources(account: str | None) -> set[str]:
    """Returns the ARNs that running pipes of an account, or of all, read from."""
    return {
        pipe.described["Source"] for pipe in list(_pipes.values()) if account in {None, pipe.account} and pipe.poller is not None
    }
