"""Answers the tasks of state machines that wait for a person: it takes their tokens from a queue.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import jmespath
from pydantic import Field
from pydantic_core import from_json

from harness.parts.ports import Actor, Context
from harness.parts.reading import Expression

if TYPE_CHECKING:
    from collections.abc import Iterator


_DONE = {"approve": "approved", "reject": "rejected"}


class Approve(Actor):
    """Takes each message of `queue_url`, finds the task token in its JSON body, and answers the task with `output`.

    With `decision: reject` the task fails with `error`, so that the pipeline must do what it does on a refusal."""

    when: Literal["at_rest", "meanwhile"] = "meanwhile"

    queue_url: str
    token: Expression = "taskToken"  # noqa: S105 - where it is
    decision: Literal["approve", "reject"] = "approve"
    output: dict[str, Any] = Field(default={"approved": True})
    error: str = "Rejected"

    def open(self, context: Context) -> Iterator[str | None]:
        """Yields what was answered; None where no task waits at the moment."""
        sqs, states = context.clients("sqs"), context.clients("stepfunctions")
        token_of = jmespath.compile(self.token)
        while True:
            messages = sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=1).get("Messages", [])
            if not messages:
                yield None
                continue
            (message,) = messages
            token = token_of.search(_document(message["Body"]))
            if isinstance(token, str):
                if self.decision == "approve":
                    states.send_task_success(taskToken=token, output=json.dumps(self.output))
                else:
                    states.send_task_failure(taskToken=token, error=self.error, cause="rejected by the scenario")
            sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
            yield f"{_DONE[self.decision]} the task of message {message['MessageId']}" if isinstance(token, str) else None


def _document(body: str) -> Any:
    try:
        document = from_json(body)
    except ValueError:
        return {}
    if isinstance(document, dict) and "TopicArn" in document and isinstance(document.get("Message"), str):
        # SNS puts the message into an envelope.
        return _document(document["Message"])
    return document
