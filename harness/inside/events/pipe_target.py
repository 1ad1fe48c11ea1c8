"""What a pipe does with a batch: its enrichment, its templates, its target.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-target.html
"""

from __future__ import annotations

import json
import logging
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from localstack.aws.connect import connect_to
from localstack.services.lambda_.event_source_mapping.event_processor import BatchFailureError, PartialBatchFailureError
from localstack.utils.aws.client_types import ServicePrincipal
from localstack.utils.json import extract_jsonpath

from harness.inside.gauges.lambda_ import INVOCATIONS
from harness.inside.sqs.urls import url_of

if TYPE_CHECKING:
    from harness.inside.events.pipes import Pipe

LOG = logging.getLogger(__name__)

_ENTRIES_PER_PUT = 10  # of PutEvents

_FIELD = re.compile(r"<(\$[^>]*|aws\.pipes\.[a-z-]+(?:\.json)?)>")


class Processor:
    """What a poller hands its batches to."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.sender = SimpleNamespace(target_arn=pipe.described["Target"])

    def process_events_batch(self, events: list[dict[str, Any]]) -> None:
        """Enriches the batch and sends it to the target. Raises BatchFailureError where either fails."""
        with INVOCATIONS.one(self._pipe.account):
            try:
                self._process(events)
            except (BatchFailureError, PartialBatchFailureError):
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
                    _verify(_invoked(clients.lambda_, arn, shaped), arn)
            case "sqs":
                options = parameters.get("SqsQueueParameters") or {}
                given = {key: options[key] for key in ("MessageGroupId", "MessageDeduplicationId") if key in options}
                for text in texts:
                    clients.sqs.send_message(QueueUrl=url_of(arn), MessageBody=text, **given)
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
                for start in range(0, len(entries), _ENTRIES_PER_PUT):
                    answer = clients.events.put_events(Entries=entries[start : start + _ENTRIES_PER_PUT])
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


def _verify(answer: Any, arn: str) -> None:
    """Raises PartialBatchFailureError where the answer of a target names records that it has failed."""
    if isinstance(answer, dict) and answer.get("batchItemFailures"):
        raise PartialBatchFailureError(partial_failure_payload=answer, error={"message": f"{arn} has failed a part of the batch"})


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
