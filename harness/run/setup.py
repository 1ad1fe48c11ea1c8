"""Puts in place what a scenario's `setup` says, before the deployment and after it."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from harness.accounting.record import item_put, object_put
from harness.accounting.tables import TableWriter
from harness.documents import read_text
from harness.errors import UsageError
from harness.run.lookup import LOOKUP_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.emulator.clients import Clients
    from harness.scenario.setup import ItemsPart, SetupPart

_MOST_BYTES = 1 << 28


def before_deployment(clients: Clients, setup: SetupPart) -> None:
    """Puts parameters, secrets and verified identities. Raises UsageError for what the emulator refuses."""
    for name, value in setup.parameters.items():
        _tried(f"setup.parameters.{name}", clients("ssm").put_parameter, Name=name, Value=value, Type="String", Overwrite=True)
    for name, secret in setup.secrets.items():
        text = secret.value if secret.file is None else read_text(secret.file, f"setup.secrets.{name}.file")
        _tried(f"setup.secrets.{name}", clients("secretsmanager").create_secret, Name=name, SecretString=text)
    for identity in setup.identities:
        if "@" in identity:
            _tried("setup.identities", clients("ses").verify_email_identity, EmailAddress=identity)
        else:
            _tried("setup.identities", clients("ses").verify_domain_identity, Domain=identity)


def after_deployment(clients: Clients, setup: SetupPart, note: Path) -> None:
    """Puts items and objects. The Parquet file `note` takes what was put (see `put_lookup`): no probe takes it for a record.

    Raises UsageError for a file that cannot be read, and for what the emulator refuses."""
    with TableWriter(note, LOOKUP_SCHEMA) as noted:
        for number, part in enumerate(setup.items):
            where = f"setup.items.{number}"
            for item in _items(part, where):
                typed = _typed(item, where)
                _tried(where, clients("dynamodb").put_item, TableName=part.table, Item=typed)
                noted.add((item_put(part.table, typed),))
        for number, one in enumerate(setup.objects):
            where = f"setup.objects.{number}"
            body = (one.content or "").encode() if one.file is None else _bytes(one.file, f"{where}.file")
            answer = _tried(where, clients("s3").put_object, Bucket=one.bucket, Key=one.key, Body=body)
            noted.add((object_put(one.bucket, one.key, answer["ETag"]),))


def _tried(where: str, call: Any, **request: Any) -> Any:
    try:
        return call(**request)
    except (ClientError, BotoCoreError) as error:
        raise UsageError(f"{where}: {error}") from error


def _items(part: ItemsPart, where: str) -> Iterator[Mapping[str, Any]]:
    if part.file is None:
        yield from part.items
        return
    text = read_text(part.file, f"{where}.file", _MOST_BYTES)
    try:
        if part.file.suffix.lower() == ".csv":
            found: list[Any] = list(csv.DictReader(io.StringIO(text, newline="")))
        elif text.lstrip().startswith("["):
            found = json.loads(text, parse_float=Decimal)
        else:
            found = [json.loads(line, parse_float=Decimal) for line in text.splitlines() if line.strip()]
    except (ValueError, csv.Error) as error:
        raise UsageError(f"{where}.file: {part.file} is neither CSV, nor a JSON list, nor JSON lines: {error}") from error
    for line, item in enumerate(found, 1):
        if not isinstance(item, dict) or None in item:
            raise UsageError(f"{where}.file: {part.file}: item {line} is no object, or a row longer than the header")
        yield item


def _typed(item: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Returns an item as DynamoDB's API has it."""
    try:
        return {name: TypeSerializer().serialize(_exact(value)) for name, value in item.items()}
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UsageError(f"{where}: {error}") from error


def _exact(value: Any) -> Any:
    match value:
        case float():
            return Decimal(str(value))
        case dict():
            return {name: _exact(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_exact(inner) for inner in value]
        case date():
            # YAML reads 2026-01-31 as a day.
            return value.isoformat()
        case _:
            return value


def _bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{what}: {path}: {error.strerror}") from error
