"""Answers the tasks of state machines that wait for a person: by their tokens, or by the links that the person is sent.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import parse_qsl, urlencode

import jmespath
import urllib3
from pydantic import Field, model_validator
from pydantic_core import from_json

from harness.backoff import TryAgainError, attempts
from harness.parts.part import Part
from harness.parts.ports import Actor, Context, Deed
from harness.parts.reading import Expression
from harness.parts.urls import local_url

if TYPE_CHECKING:
    from collections.abc import Iterator

Choice = Literal["approve", "reject", "nothing", "look", "approve_twice", "forge"]
_TIMEOUT_S = 35
_DECIDES_WITHIN_S = 3600
"""A message is hidden for so long at most: no decision takes longer, and none is made twice."""
_AT_ONCE = 4
"""Attempts of a click, until the person tries again later."""
# Answers of API Gateway and of Step Functions that ask for another try.
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})
# What tells that the task waits no more: of Step Functions, and of a page behind a link.
_TOO_LATE = frozenset({"TaskTimedOut", "409", "410"})
_TASK_ERRORS = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class Planned(Part):
    """What the person does about messages for which `where` is true."""

    where: Expression
    do: Choice
    reason: str = "rejected by the scenario"


class Links(Part):
    """Where the links are in a message."""

    approve: Expression = "approve"
    reject: Expression = "reject"


class Approve(Actor):
    """Takes each message of `queue_url`, and answers the task whose token its JSON body has.

    `decision: approve` answers with `output`; `decision: reject` lets the task fail with `error`, so that the pipeline must do what it does on
    a refusal. `plan` says for which messages something else is done: the first entry counts whose `where` is true. `nothing` lets the time
    run out; `approve_twice` rejects what has been approved; `forge` tries to approve with what is not valid. With `links` the person uses
    the links of the message: looks first (GET), then decides (POST); `look` only looks at them, as a mail program does that opens all links. A forger has the
    link to reject, and writes in it that he approves; he then leaves out or cuts off each of its parameters in turn.

    The verdict is unknown where no message was of an entry, and where each of its decisions came too late or was refused: the run did not test
    that entry. A decision whose first answer was lost counts as refused, as nothing tells whether it was taken. With `when: meanwhile` a link behind which something fails is used again at
    each turn, until the task waits no more."""

    when: Literal["at_rest", "meanwhile"] = "meanwhile"

    queue_url: str
    token: Expression = "taskToken"  # noqa: S105 - where it is
    links: Links | None = None
    decision: Literal["approve", "reject"] = "approve"
    plan: tuple[Planned, ...] = ()
    output: dict[str, Any] = Field(default={"approved": True})
    error: str = "Rejected"

    @model_validator(mode="after")
    def _plans_after_the_message(self) -> Self:
        if any(planned.where.startswith("$") for planned in self.plan):
            raise ValueError("plan: where reads the message, not what stands around it")
        if self.links is None and any(planned.do == "look" for planned in self.plan):
            raise ValueError("plan: without links there is nothing to look at")
        return self

    def entries(self) -> Iterator[str]:
        """Yields the entries of the plan."""
        yield from (_named(planned) for planned in self.plan)

    def open(self, context: Context) -> Iterator[Deed | None]:
        """Yields what was answered; None where no task waits at the moment."""
        sqs = context.clients("sqs")
        put_off = set()
        with closing(_Person(self, context)) as person:
            while True:
                answer = sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=1, VisibilityTimeout=_DECIDES_WITHIN_S)
                messages = answer.get("Messages", [])
                if not messages:
                    yield None
                    continue
                (message,) = messages
                about = f"the task of message {message['MessageId']}"
                planned = person.plans(document := _document(message["Body"]))
                try:
                    done = person.does(planned, document)
                except TryAgainError as error:
                    # Other tasks have their turn meanwhile.
                    sqs.change_message_visibility(
                        QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=1
                    )
                    text = f"could not answer ({error.reason}), and tries again, {about}"
                    yield None if about in put_off else Deed(text, self.entry(planned), refused=True)
                    put_off.add(about)
                    continue
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
                yield replace(done, text=f"{done.text} {about}") if done else None

    def entry(self, planned: Planned | None) -> str:
        """Returns the name of an entry of the plan; that of the decision where there is none."""
        return _named(planned) if planned else self.decision


class _Person:
    """Decides on messages, as the plan says."""

    def __init__(self, part: Approve, context: Context) -> None:
        self._part = part
        self._context = context
        self._states = context.clients("stepfunctions")
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT_S)
        self._plan = [(jmespath.compile(planned.where), planned) for planned in part.plan]

    def close(self) -> None:
        """Closes the connections."""
        self._http.clear()

    def plans(self, message: Any) -> Planned | None:
        """Returns the entry of the plan that the message is of, None where no entry is about it."""
        return next((planned for where, planned in self._plan if _true(where, message)), None)

    def does(self, planned: Planned | None, message: Any) -> Deed | None:
        """Does what is planned; returns what that was, None for a message without a task. Raises TryAgainError where a link cannot be used now."""
        choice: Choice = planned.do if planned else self._part.decision
        reason = planned.reason if planned else "rejected by the scenario"
        entry = self._part.entry(planned)
        decide = self._by_link if self._part.links else self._by_token
        if not decide(message, "", reason):
            return None
        match choice:
            case "nothing":
                return Deed("left alone", entry, refused=False)
            case "look":
                answer = decide(message, "look", reason)
                return Deed(f"only looked at the links ({answer}) of", entry, _is_refused(answer))
            case "approve_twice":
                first = decide(message, "approve", reason)
                text = f"approved ({first}), and then rejected ({decide(message, 'reject', reason)})"
                return Deed(text, entry, _is_refused(first))
            case "forge":
                # It must be refused. Where that was because the task waits no more, it shows nothing.
                answer = decide(message, "forge", reason)
                return Deed(f"tried to forge an approval of ({answer})", entry, answer in _TOO_LATE)
            case _:
                answer = decide(message, choice, reason)
                return Deed(f"{'approved' if choice == 'approve' else 'rejected'} ({answer})", entry, _is_refused(answer))

    def _by_token(self, message: Any, deed: str, reason: str) -> str:
        """Answers the task; without a deed, says whether there is one. Returns what Step Functions said."""
        token = jmespath.search(self._part.token, message)
        if not isinstance(token, str):
            return ""
        gone = self._states.exceptions
        try:
            match deed:
                case "approve":
                    self._states.send_task_success(taskToken=token, output=json.dumps(self._part.output))
                case "reject":
                    self._states.send_task_failure(taskToken=token, error=self._part.error, cause=reason)
                case "forge":
                    self._states.send_task_success(taskToken=token[::-1], output=json.dumps(self._part.output))
        except (gone.TaskTimedOut, gone.TaskDoesNotExist, gone.InvalidToken) as error:
            return str(error.response["Error"]["Code"])
        return "taken"

    def _by_link(self, message: Any, deed: str, reason: str) -> str:
        """Uses a link of the message; without a deed, looks whether it has both. Returns the status of the answer."""
        links = self._part.links
        assert links is not None
        found = {name: jmespath.search(getattr(links, name), message) for name in ("approve", "reject")}
        if not all(isinstance(link, str) for link in found.values()):
            return ""
        if not deed:
            return "there"
        urls = {name: local_url(link, self._context, "approve.links") for name, link in found.items()}
        if deed == "look":
            return max(self._request("GET", url) for url in urls.values())
        answer = ""
        for url in _forged(urls["reject"]) if deed == "forge" else (urls[deed],):
            self._request("GET", url)
            answer = self._request("POST", url, urlencode({"reason": reason}))
            if not _is_refused(answer):
                break
        return answer

    def _request(self, method: str, url: str, body: str = "") -> str:
        status = 0
        for attempt in attempts(_AT_ONCE):
            with attempt:
                self._context.check()
                status = self._attempt(method, url, body)
        return str(status)

    def _attempt(self, method: str, url: str, body: str) -> int:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        try:
            status = self._http.request(method, url, body=body or None, headers=headers).status
        except urllib3.exceptions.HTTPError as error:
            raise TryAgainError(f"{url.partition('?')[0]}: {error}") from error
        if status in _TRY_AGAIN:
            raise TryAgainError(f"{url.partition('?')[0]} answers {status}")
        return status


def _forged(reject: str) -> Iterator[str]:
    """Yields links that must not approve: who may reject must not be able to."""
    approve = reject.replace("reject", "approve")
    yield approve
    address, _, query = approve.partition("?")
    given = parse_qsl(query, keep_blank_values=True)
    for place, (name, value) in enumerate(given):
        yield f"{address}?{urlencode([*given[:place], *given[place + 1 :]])}"
        for part in ("", value[: len(value) // 2]):
            yield f"{address}?{urlencode([*given[:place], (name, part), *given[place + 1 :]])}"


def _named(planned: Planned) -> str:
    return f"{planned.do} where {planned.where}"


def _is_refused(answer: str) -> bool:
    return (answer.isdigit() and answer >= "400") or answer in _TASK_ERRORS


def _true(where: Any, message: Any) -> bool:
    try:
        return bool(where.search(message))
    except jmespath.exceptions.JMESPathError:
        # The message has something else there than the expression expects.
        return False


def _document(body: str) -> Any:
    try:
        document = from_json(body)
    except ValueError:
        return {}
    if isinstance(document, dict) and "TopicArn" in document and isinstance(document.get("Message"), str):
        # SNS puts the message into an envelope.
        return _document(document["Message"])
    return document
