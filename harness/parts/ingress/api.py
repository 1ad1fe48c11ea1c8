"""HTTP requests to an API, one record per request, a few at a time."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self
from urllib.parse import quote

import jmespath
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from jmespath.exceptions import JMESPathError
from pydantic import Field, model_validator
from pydantic_core import from_json

from harness.accounting.record import Answer, Record, Status, now_ms
from harness.backoff import TryAgainError, attempts
from harness.parts.ports import Context, Ingress
from harness.parts.units import Offer, Unit, records
from harness.parts.urls import local_url

if TYPE_CHECKING:
    from collections.abc import Sequence

ATTEMPTS = 8
_FIRST_DELAY_S, _LAST_DELAY_S = 0.1, 5.0
# The service says that it did not take the record, and that it may later.
_TRY_AGAIN = frozenset({429, 503})
_TIMEOUT_S = 35
_KEY_ID = re.compile(r"[a-z0-9]{10}")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class Api(Ingress):
    """Sends each record to `url` + `path`, with one slash between them.

    `path` and `headers` may hold {expression} placeholders: JMESPath over the record's payload, and {record_id}. `api_key`, or the key
    of which it is the id, goes into the header x-api-key; `sign` signs with SigV4 and the run's dummy credentials. 2xx is an ack, 4xx a rejection; 429 and 503 are
    tried again; every other answer, or none, is indeterminate. Of the rejections, those with a status in `validation` say that something
    is wrong with the record; any other (no such route, no permission) proves nothing about it."""

    shareable: ClassVar[bool] = True

    url: str
    path: str = ""
    method: str = "POST"
    headers: dict[str, str] = Field(default={})
    api_key: str | None = None
    sign: bool = False
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    validation: tuple[Annotated[int, Field(ge=400, le=499)], ...] = (400, 406, 409, 411, 413, 414, 415, 422, 431)

    @model_validator(mode="after")
    def _has_expressions(self) -> Self:
        for where, text in (("path", self.path), *((f"headers.{name}", value) for name, value in self.headers.items())):
            for expression in _PLACEHOLDER.findall(text):
                try:
                    jmespath.compile(expression)
                except JMESPathError as error:
                    raise ValueError(f"{where}: {{{expression}}} is not JMESPath: {str(error).splitlines()[0]}") from None
        return self

    def open(self, context: Context) -> ApiSender:
        """Returns the sender. Raises UsageError for a URL of another machine, unless --allow-remote is given."""
        url = local_url(self.url, context, "send.url")
        return ApiSender(self, url.removesuffix("/") if self.path.startswith("/") else url, _key(self.api_key, context), context)


class ApiSender:
    """Sends records with a few requests at a time."""

    def __init__(self, part: Api, url: str, key: str | None, context: Context) -> None:
        self._part = part
        self._url = url
        self._key = key
        self._credentials = context.clients.credentials()
        self._region = context.clients.region
        self.batch_size = part.concurrency * 8
        self._http = urllib3.PoolManager(maxsize=part.concurrency, retries=False, timeout=_TIMEOUT_S)
        self._pool = ThreadPoolExecutor(part.concurrency, thread_name_prefix="ingress-api")

    def send(self, units: Sequence[Unit]) -> list[Offer]:
        """See Sender."""
        batch = list(records(units))
        return list(zip(batch, self._pool.map(self._request, batch), strict=True))

    def close(self) -> None:
        """Ends the threads and closes the connections."""
        self._pool.shutdown(cancel_futures=True)
        self._http.clear()

    def _request(self, record: Record) -> Answer:
        offered_at_ms = now_ms()
        try:
            for attempt in attempts(ATTEMPTS, _FIRST_DELAY_S, _LAST_DELAY_S):
                with attempt:
                    return self._attempt(record, offered_at_ms)
        except TryAgainError as error:
            refused = f"after {ATTEMPTS} attempts: {error.reason}"
            return Answer(Status.REJECTED, offered_at_ms, detail=refused, about_record=False)
        raise AssertionError

    def _attempt(self, record: Record, offered_at_ms: int) -> Answer:
        url, headers = self._addressed(record)
        try:
            answer = self._http.request(self._part.method, url, body=record.payload, headers=headers)
        except urllib3.exceptions.NewConnectionError as error:
            # Nothing listened there, so nothing was taken.
            raise TryAgainError(f"no connection: {error}") from error
        except urllib3.exceptions.HTTPError as error:
            return Answer(Status.INDETERMINATE, offered_at_ms, detail=f"{type(error).__name__}: {error}")
        if 200 <= answer.status < 300:
            return Answer(Status.ACKED, offered_at_ms)
        detail = f"HTTP {answer.status}: {answer.data[:200].decode(errors='replace')}"
        if answer.status in _TRY_AGAIN:
            asked = answer.headers.get("Retry-After", "")
            raise TryAgainError(detail, float(asked) if asked.isdecimal() else None)
        status = Status.REJECTED if 400 <= answer.status < 500 else Status.INDETERMINATE
        return Answer(status, offered_at_ms, detail=detail, about_record=answer.status in self._part.validation)

    def _addressed(self, record: Record) -> tuple[str, dict[str, str]]:
        """Returns the record's URL and headers."""
        part = self._part
        values = _values(record) if _PLACEHOLDER.search(part.path + "".join(part.headers.values())) else {}
        url = self._url + _PLACEHOLDER.sub(lambda found: quote(_value(found[1], values), safe=""), part.path)
        headers = {"Content-Type": "application/json"}
        for name, template in part.headers.items():
            text = _PLACEHOLDER.sub(lambda found: _value(found[1], values), template)
            headers[name] = text.encode("ascii", "backslashreplace").decode().replace("\r", " ").replace("\n", " ")
        if self._key is not None:
            headers["x-api-key"] = self._key
        if part.sign:
            request = AWSRequest(part.method, url, headers, record.payload)
            SigV4Auth(self._credentials, "execute-api", self._region).add_auth(request)
            headers = dict(request.headers.items())
        return url, headers


def _key(key: str | None, context: Context) -> str | None:
    """Returns the value of the API key of the stack that has this id, as `Ref` gives it; any other text is the value."""
    if key is None or _KEY_ID.fullmatch(key) is None:
        return key
    try:
        return str(context.clients("apigateway").get_api_key(apiKey=key, includeValue=True)["value"])
    except ClientError:
        return key


def _values(record: Record) -> dict[str, Any]:
    try:
        document = from_json(record.payload)
    except ValueError:
        document = None
    return {**(document if isinstance(document, dict) else {}), "record_id": record.record_id}


def _value(expression: str, values: dict[str, Any]) -> str:
    """Returns what the expression finds in the record; a malformed record may have nothing there."""
    try:
        found = values.get(expression) if expression.isidentifier() else jmespath.search(expression, values)
    except JMESPathError:
        # The record has something else there than the expression expects.
        found = None
    return "" if found is None else str(found)
