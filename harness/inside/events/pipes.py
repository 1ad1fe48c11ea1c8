"""EventBridge Pipes: from a queue or a stream, through a filter and an enrichment, to a target.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes.html
"""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from localstack.aws.api.pipes import ConflictException, NotFoundException, PipesApi
from localstack.aws.api.pipes import ValidationException as PipeValidationException
from localstack.aws.connect import connect_to
from localstack.services.lambda_.event_source_mapping.event_processor import BatchFailureError
from localstack.services.lambda_.event_source_mapping.pipe_utils import get_internal_client
from localstack.services.lambda_.event_source_mapping.pollers.poller import EmptyPollResultsException
from localstack.utils.aws.client_types import ServicePrincipal
from localstack.utils.json import extract_jsonpath

from harness.inside.dynamodb.mapping import DynamoDBMapping
from harness.inside.gauges.gauge import Counted
from harness.inside.kinesis.mapping import KinesisMapping
from harness.inside.sqs.mapping import SqsMapping
from harness.inside.streams.checkpoints import OUTLIVING

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext

LOG = logging.getLogger(__name__)

RUNNING = Counted()
_POLL_S, _ERROR_WAIT_S = 0.1, 1.0
_FIELD = re.compile(r"<(\$[^>]*|aws\.pipes\.[a-z-]+(?:\.json)?)>")


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


class Processor:
    """What a poller hands its batches to."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.sender = SimpleNamespace(target_arn=pipe.described["Target"])

    def process_events_batch(self, events: list[dict[str, Any]]) -> None:
        """Enriches the batch and sends it to the target. Raises BatchFailureError where either fails."""
        with RUNNING.one(self._pipe.account):
            try:
                self._process(events)
            except BatchFailureError:
                raise
            except Exception as error:
                LOG.warning("Pipe %s: %s", self._pipe.described["Name"], error)
                raise BatchFailureError(error={"message": str(error), "httpStatusCode": 500}) from error

    def _process(self, events: list[dict[str, Any]]) -> None:
        described = self._pipe.described
        if described.get("Enrichment"):
            given = [
                _shaped(event, (described.get("EnrichmentParameters") or {}).get("InputTemplate"), self._pipe) for event in events
            ]
            made = self._enriched(described["Enrichment"], given)
            events = made if isinstance(made, list) else [made] if made not in (None, {}, "") else []
        if events:
            self._send(described["Target"], described.get("TargetParameters") or {}, events)

    def _clients(self, arn: str) -> Any:
        parts = arn.split(":")
        role = self._pipe.described.get("RoleArn")
        region = parts[3] or self._pipe.region
        if role:
            return connect_to.with_assumed_role(role_arn=role, service_principal=ServicePrincipal.pipes, region_name=region)
        return connect_to(aws_access_key_id=self._pipe.account, region_name=region)

    def _enriched(self, arn: str, events: list[Any]) -> Any:
        kind = arn.split(":")[2]
        if kind == "lambda":
            return _invoked(self._clients(arn).lambda_, arn, events)
        if kind == "states":
            started = self._clients(arn).stepfunctions.start_sync_execution(stateMachineArn=arn, input=json.dumps(events))
            if started["status"] != "SUCCEEDED":
                raise BatchFailureError(error={"message": f"The enrichment {arn} ended as {started['status']}"})
            return json.loads(started["output"])
        raise BatchFailureError(error={"message": f"The enrichment {arn} is not supported"})

    def _send(self, arn: str, parameters: Any, events: list[Any]) -> None:  # noqa: C901, PLR0912 - a case for each kind of target
        template = parameters.get("InputTemplate")
        shaped = [_shaped(event, template, self._pipe) for event in events]
        clients = self._clients(arn)
        texts = [one if isinstance(one, str) else json.dumps(one) for one in shaped]
        match arn.split(":")[2]:
            case "lambda":
                kind = (parameters.get("LambdaFunctionParameters") or {}).get("InvocationType")
                if kind == "FIRE_AND_FORGET":
                    clients.lambda_.invoke(FunctionName=arn, InvocationType="Event", Payload=json.dumps(shaped).encode())
                else:
                    _invoked(clients.lambda_, arn, shaped)
            case "sqs":
                options = parameters.get("SqsQueueParameters") or {}
                given = {key: options[key] for key in ("MessageGroupId", "MessageDeduplicationId") if key in options}
                url = clients.sqs.get_queue_url(QueueName=arn.split(":")[5], QueueOwnerAWSAccountId=arn.split(":")[4])["QueueUrl"]
                for text in texts:
                    clients.sqs.send_message(QueueUrl=url, MessageBody=text, **given)
            case "sns":
                for text in texts:
                    clients.sns.publish(TopicArn=arn, Message=text)
            case "kinesis":
                key = (parameters.get("KinesisStreamParameters") or {}).get("PartitionKey") or "pipe"
                for event, text in zip(events, texts, strict=True):
                    chosen = str(extract_jsonpath(event, key)) if key.startswith("$") else key
                    clients.kinesis.put_record(StreamARN=arn, Data=text.encode(), PartitionKey=chosen)
            case "firehose":
                for text in texts:
                    clients.firehose.put_record(DeliveryStreamName=arn.partition("/")[2], Record={"Data": text.encode()})
            case "events":
                options = parameters.get("EventBridgeEventBusParameters") or {}
                entries = [
                    {
                        "EventBusName": arn.partition("/")[2],
                        "Source": options.get("Source") or f"Pipe {self._pipe.described['Name']}",
                        "DetailType": options.get("DetailType") or "Event from aws:pipes",
                        "Detail": text,
                    }
                    for text in texts
                ]
                answer = clients.events.put_events(Entries=entries)
                if answer["FailedEntryCount"]:
                    raise BatchFailureError(error={"message": f"The event bus refused {answer['FailedEntryCount']} events"})
            case "states":
                clients.stepfunctions.start_execution(stateMachineArn=arn, input=json.dumps(shaped))
            case other:
                raise BatchFailureError(error={"message": f"Targets of {other} are not supported"})


def _invoked(client: Any, arn: str, events: list[Any]) -> Any:
    answer = client.invoke(FunctionName=arn, Payload=json.dumps(events).encode())
    payload = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        raise BatchFailureError(
            error={"message": f"{arn} failed: {payload}", "httpStatusCode": 200, "functionError": answer["FunctionError"]}
        )
    return payload


def _shaped(event: Any, template: str | None, pipe: Pipe) -> Any:
    """Returns what an input template makes of an event; the event where there is none."""
    if not template:
        return event
    whole = _decoded(event)

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name.startswith("aws.pipes."):
            known = {"pipe-arn": pipe.arn, "pipe-name": pipe.described["Name"], "event": whole, "event.json": whole}
            made = known.get(name.removeprefix("aws.pipes."), "")
        else:
            made = extract_jsonpath(whole, name)
        inside = template[: found.start()].count('"') % 2 == 1
        return str(made) if inside and isinstance(made, str) else json.dumps(made)

    text = _FIELD.sub(value, template)
    try:
        return json.loads(text)
    except ValueError:
        return text


def _decoded(event: Any) -> Any:
    """Returns an event with a body of JSON parsed, as templates see it."""
    if isinstance(event, dict) and isinstance(event.get("body"), str):
        try:
            return {**event, "body": json.loads(event["body"])}
        except ValueError:
            return event
    return event


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
