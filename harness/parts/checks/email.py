"""The e-mails that SES has sent, as LocalStack keeps them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Self

import urllib3
from pydantic import AfterValidator, NonNegativeInt, model_validator

from harness.errors import UnknownVerdictError
from harness.parts.ports import Check, Context, Finding


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class Email(Check):
    """Counts the e-mails of this run to `to` (all where it is not given) whose subject and body match; at least one is expected, or `count`.

    LocalStack does not tell the accounts of e-mails apart: runs that share an emulator at the same time see each other's."""

    to: str | None = None
    subject: Pattern | None = None
    body: Pattern | None = None
    count: NonNegativeInt | None = None
    at_least: NonNegativeInt | None = None

    @model_validator(mode="after")
    def _expects_one_number(self) -> Self:
        if self.count is not None and self.at_least is not None:
            raise ValueError("count and at_least exclude each other")
        return self

    def open(self, context: Context) -> Finding:
        """Returns how many e-mails match. Raises UnknownVerdictError where the endpoint does not keep them."""
        # LocalStack serves the e-mails once SES is loaded, which its first request does.
        context.clients("ses").get_send_quota()
        try:
            answer = urllib3.request("GET", f"{context.endpoint}/_aws/ses", retries=False, timeout=30)
            messages = answer.json()["messages"]
        except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError) as error:
            raise UnknownVerdictError(f"the endpoint does not tell which e-mails were sent (GET /_aws/ses: {error})") from error
        began = datetime.fromtimestamp(int(context.started_at_s), tz=UTC)
        found = sum(self._matches(message) for message in messages if _sent_at(message) >= began)
        if self.count is not None:
            return Finding(found == self.count, f"expected {self.count} e-mails, found {found}")
        wanted = 1 if self.at_least is None else self.at_least
        return Finding(found >= wanted, f"expected at least {wanted} e-mails, found {found}")

    def _matches(self, message: dict[str, Any]) -> bool:
        destination, body = message.get("Destination") or {}, message.get("Body") or {}
        recipients = [address for name in ("ToAddresses", "CcAddresses", "BccAddresses") for address in destination.get(name) or ()]
        text = "\n".join(str(part) for part in (body.get("text_part"), body.get("html_part"), message.get("RawData")) if part)
        return (
            (self.to is None or self.to in recipients)
            and (self.subject is None or re.search(self.subject, str(message.get("Subject"))) is not None)
            and (self.body is None or re.search(self.body, text) is not None)
        )


def _sent_at(message: dict[str, Any]) -> datetime:
    """Returns when LocalStack took the e-mail, to the second; an e-mail without a readable time counts for no run."""
    try:
        sent_at = datetime.fromisoformat(str(message.get("Timestamp")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return sent_at if sent_at.tzinfo else sent_at.replace(tzinfo=UTC)
