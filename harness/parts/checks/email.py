"""The e-mails that SES has sent, as LocalStack keeps them."""

from __future__ import annotations

import html
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Self
from urllib.parse import parse_qs, urlsplit

import urllib3
from pydantic import Field, NonNegativeInt, model_validator

from harness.accounting.record import payload_hash
from harness.emulator.plugin import ONE_REQUEST
from harness.errors import UnknownVerdictError
from harness.parts.objects import hashes
from harness.parts.part import MOST_SECONDS, Part, Pattern
from harness.parts.ports import Check, Context, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 3


class Link(Part):
    """A link in an e-mail: `pattern` finds it, and it downloads the bytes of an object of `bucket` below `prefix`. A link that is signed with
    an end (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html) is still valid for `valid_for_s` seconds."""

    pattern: Pattern = r"https?://[^\s\"'<>]*[^\s\"'<>.,;:!?)]"
    bucket: str
    prefix: str = ""
    valid_for_s: Annotated[int, Field(ge=0, le=MOST_SECONDS)] = 3600

    def of(self, message: dict[str, Any]) -> str | None:
        """Returns the link of an e-mail; None where it has none into this bucket, and so is of another run."""
        # In a body of HTML an ampersand is written &amp;.
        found = (html.unescape(link[0]) for link in re.finditer(self.pattern, _text(message)))
        return next((link for link in found if self.bucket in link), None)

    def followed(self, context: Context, links: Sequence[str]) -> Finding:
        """Returns whether each link downloads an object, and each object has a link."""
        objects = {digest: key for key, digest in hashes(context, self.bucket, self.prefix)}
        linked: set[bytes] = set()
        wrong = []
        here = urlsplit(context.endpoint)
        for number, link in enumerate(links, 1):
            # The link names the emulator as a function sees it; from here it has another address.
            reached = urlsplit(link)._replace(scheme=here.scheme, netloc=here.netloc).geturl()
            answer = urllib3.request("GET", reached, headers=ONE_REQUEST, retries=False, timeout=60)
            digest = payload_hash(answer.data)
            linked.add(digest)
            left_s = _valid_for_s(link)
            if left_s is not None and left_s < self.valid_for_s:
                wrong.append(f"link {number} is valid for {max(left_s, 0):,.0f} s only")
            elif answer.status != 200:
                wrong.append(f"link {number} answers {answer.status}")
            elif digest not in objects:
                wrong.append(f"link {number} downloads other bytes than those of any object below {self.prefix}")
        wrong += [f"no link downloads {key}" for digest, key in objects.items() if digest not in linked]
        text = "; ".join(wrong[:_SHOWN]) or f"{len(links)} links download the {len(objects)} objects below {self.prefix}"
        return Finding(not wrong, text)


def _valid_for_s(link: str) -> float | None:
    """Returns for how long a presigned URL is still valid, in seconds; None for a link without an end."""
    query = parse_qs(urlsplit(link).query)
    try:
        if "X-Amz-Date" in query:
            signed_at = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return signed_at.timestamp() + int(query["X-Amz-Expires"][0]) - time.time()
        return int(query["Expires"][0]) - time.time() if "Expires" in query else None
    except (ValueError, KeyError):
        return None


class Email(Check):
    """Counts the e-mails of this run to `to` (all where it is not given) whose subject and body match; at least one is expected, or `count`.

    With `link` only those count that link into its bucket. Each link must download the bytes of an object, and each object must have one.
    LocalStack does not tell the accounts of e-mails apart: runs that share an emulator at the same time see each other's."""

    to: str | None = None
    subject: Pattern | None = None
    body: Pattern | None = None
    count: NonNegativeInt | None = None
    at_least: NonNegativeInt | None = None
    link: Link | None = None

    @model_validator(mode="after")
    def _expects_one_number(self) -> Self:
        if self.count is not None and self.at_least is not None:
            raise ValueError("count and at_least exclude each other")
        return self

    def open(self, context: Context) -> Finding:
        """Returns how many e-mails match. Raises UnknownVerdictError where the endpoint does not keep them."""
        if context.clients.aws:
            raise UnknownVerdictError("AWS does not report which e-mails were sent")
        # LocalStack serves the e-mails once SES is loaded, which its first request does.
        context.clients("ses").get_send_quota()
        try:
            answer = urllib3.request("GET", f"{context.endpoint}/_aws/ses", headers=ONE_REQUEST, retries=False, timeout=30)
            messages = answer.json()["messages"]
        except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError) as error:
            raise UnknownVerdictError(f"the endpoint does not tell which e-mails were sent (GET /_aws/ses: {error})") from error
        began = datetime.fromtimestamp(int(context.started_at_s), tz=UTC)
        matching = [message for message in messages if _sent_at(message) >= began and self._matches(message)]
        links = [link for message in matching if self.link and (link := self.link.of(message))]
        found = len(matching) if self.link is None else len(links)
        if self.count is not None:
            counted = Finding(found == self.count, f"expected {self.count} e-mails, found {found}")
        else:
            # With a link, each object must have one: how many there are is not known before.
            wanted = self.at_least if self.at_least is not None else int(self.link is None)
            counted = Finding(found >= wanted, f"expected at least {wanted} e-mails, found {found}")
        return counted if self.link is None or not counted.holds else self.link.followed(context, links)

    def _matches(self, message: dict[str, Any]) -> bool:
        destination = message.get("Destination") or {}
        recipients = [address for name in ("ToAddresses", "CcAddresses", "BccAddresses") for address in destination.get(name) or ()]
        text = _text(message)
        return (
            (self.to is None or self.to in recipients)
            and (self.subject is None or re.search(self.subject, str(message.get("Subject"))) is not None)
            and (self.body is None or re.search(self.body, text) is not None)
        )


def _text(message: dict[str, Any]) -> str:
    body = message.get("Body") or {}
    return "\n".join(str(part) for part in (body.get("text_part"), body.get("html_part"), message.get("RawData")) if part)


def _sent_at(message: dict[str, Any]) -> datetime:
    """Returns when LocalStack took the e-mail, to the second; an e-mail without a readable time counts for no run."""
    try:
        sent_at = datetime.fromisoformat(str(message.get("Timestamp")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return sent_at if sent_at.tzinfo else sent_at.replace(tzinfo=UTC)
