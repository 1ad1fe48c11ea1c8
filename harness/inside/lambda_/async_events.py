"""What becomes of an event that a function could not be invoked with, or not with success.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import logging
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from localstack.aws.connect import connect_to
from localstack.services.lambda_.api_utils import qualifier_is_alias

from harness.inside.lambda_ import function_metrics

LOG = logging.getLogger(__name__)

_LONGEST_MESSAGE = 1024
# How much longer than its time-out an invocation may take.
_LONGEST_START_S = 60


class _Instead:
    """Another object, but for some of its attributes."""

    def __init__(self, of: Any, **attributes: Any) -> None:
        self.__dict__.update(attributes)
        self._of = of

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)


def by_alias(handle: Any) -> Any:
    """Returns Poller.handle_message with the configuration of the alias that was invoked. LocalStack takes that of the version."""

    @functools.wraps(handle)
    def once(self: Any, message: Any) -> Any:
        invoked = json.loads(message["Body"]).get("invoked_arn", "").split(":")
        alias = invoked[7] if len(invoked) > 7 and qualifier_is_alias(invoked[7]) else ""
        if not alias:
            return handle(self, message)
        function, version = self.version_manager.function, self.version_manager.function_version.id.qualifier
        configs = {version: function.event_invoke_configs[alias]} if alias in function.event_invoke_configs else {}
        poller = copy.copy(self)
        poller.version_manager = _Instead(self.version_manager, function=_Instead(function, event_invoke_configs=configs))
        return handle(poller, message)

    return once


def taking(module: Any) -> Any:
    """Returns a Poller.run that puts events back into the queue if the poller stops before it invokes the function with them.

    LocalStack stops the poller with every change of the function. Its own poller leaves the events hidden until the function's time-out and a minute have passed. `module` is the
    module of the event manager."""

    def run(self: Any, *_args: Any, **_kwargs: Any) -> None:
        version = self.version_manager.function_version
        client = module.get_sqs_client(version, client_config=module.CLIENT_CONFIG)
        while not self._shutdown_event.is_set():
            try:
                taken = client.receive_message(
                    QueueUrl=self.event_queue_url,
                    WaitTimeSeconds=2,
                    MaxNumberOfMessages=10,
                    VisibilityTimeout=version.config.timeout + _LONGEST_START_S,
                )["Messages"]
            except Exception:
                if not self._shutdown_event.is_set():
                    LOG.exception("Cannot take the events of function %s", version.qualified_arn)
                    self._shutdown_event.wait(1)
                continue
            for message in taken or ():
                _begin(self, client, message)

    return run


def _begin(poller: Any, client: Any, message: Any) -> None:
    def hand_back(future: Any = None) -> None:
        if future is None or future.cancelled():
            # The queue is deleted together with its function.
            with contextlib.suppress(ValueError):
                client.send_message(QueueUrl=poller.event_queue_url, MessageBody=message["Body"])
                client.delete_message(QueueUrl=poller.event_queue_url, ReceiptHandle=message["ReceiptHandle"])

    try:
        poller.invoker_pool.submit(poller.handle_message, message).add_done_callback(hand_back)
    except RuntimeError:
        # The pool was shut down.
        hand_back()


def with_error(process: Any) -> Any:
    """Returns Poller.process_dead_letter_queue that can tell of any failure, and counts it. LocalStack loses an event whose function was not invoked at all, or has
    failed without a text."""

    @functools.wraps(process)
    def once(self: Any, sqs_invocation: Any, result: Any) -> Any:
        function_metrics.record_dropped(self.version_manager.function_version.id)
        if hasattr(result, "payload"):
            told = copy.copy(result)
            told.payload = json.dumps(_told(result.payload)).encode()
            return process(self, sqs_invocation, told)
        return process(self, sqs_invocation, _told(result))

    return once


def with_payload(process: Any) -> Any:
    """Returns Poller.process_failure_destination that takes a function which was not invoked. LocalStack 4.9.2 loses its event."""

    @functools.wraps(process)
    def once(self: Any, sqs_invocation: Any, result: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(result, "payload", b"") is None:
            result = copy.copy(result)
            result.payload = b"null"
        return process(self, sqs_invocation, result, *args, **kwargs)

    return once


def to_bucket(send: Any) -> Any:
    """Returns LocalStack's send_event_to_target that knows buckets, too."""

    @functools.wraps(send)
    def sent(*, target_arn: str, event: Any, **options: Any) -> Any:
        if target_arn.split(":")[2:3] != ["s3"]:
            return send(target_arn=target_arn, event=event, **options)
        function, now = options["source_arn"].split(":")[6], datetime.now(UTC)
        client = connect_to.with_assumed_role(
            role_arn=options["role"], service_principal=options["source_service"], region_name=options["source_arn"].split(":")[3]
        )
        return client.s3.put_object(
            Bucket=target_arn.rpartition(":")[2],
            Key=f"aws/lambda/async/{function}/{now:%Y/%m/%d}/{now:%Y-%m-%dT%H.%M.%S}-{uuid4()}",
            Body=json.dumps(event),
        )

    return sent


def _told(payload: Any) -> dict[str, Any]:
    """Returns an answer of a function, or None for none, with a text in errorMessage: an attribute of a message cannot be empty."""
    try:
        answer = json.loads(payload) if isinstance(payload, bytes | str) else payload
    except ValueError:
        answer = None
    found = answer if isinstance(answer, dict) else {}
    message = str(
        found.get("errorMessage") or found.get("errorType") or "The function was not invoked, or returned no error message."
    )
    return {**found, "errorMessage": message[:_LONGEST_MESSAGE]}
