"""Fields of the records that a function takes, from its code: a JSON schema, a model of pydantic, or the keys that it reads."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

from harness.documents import MISTYPED
from harness.draft.guess import guessed, text_field
from harness.draft.infer import NAME
from harness.draft.models import models_of
from harness.draft.patterns import examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_MOST_FILES, _MOST_BYTES = 200, 1 << 20
_DEEPEST = 4
# Of the events of Lambda, not of a record.
_ENVELOPE = {
    "Records", "body", "headers", "kinesis", "data", "eventSource", "eventSourceARN", "messageId", "receiptHandle",
    "attributes", "messageAttributes", "Sns", "Message", "s3", "bucket", "object", "requestContext", "pathParameters",
    "queryStringParameters", "httpMethod", "path", "isBase64Encoded", "statusCode", "detail", "name", "key", "dynamodb",
    "NewImage", "OldImage", "S", "N", "Item", "Items", "Body", "Bucket", "Key", "Payload", "Events", "End", "Stats",
    "ResponseMetadata", "HTTPStatusCode", "QueueUrl", "TopicArn", "TableName", "MessageId", "Error", "Code", "response",
    "batchItemFailures", "itemIdentifier", "eventName", "approximateArrivalTimestamp", "sequenceNumber", "partitionKey",
    "identity", "sourceIp", "rawPath", "version", "versionId", "eTag", "size", "sequencer", "ApproximateReceiveCount",
    "SentTimestamp", "ApproximateFirstReceiveTimestamp", "MessageGroupId", "awsRegion", "eventTime", "eventVersion", "Event",
    "errorMessage", "errorType", "stackTrace", "requestPayload", "responsePayload", "Type", "Subject", "Timestamp",
    "MessageAttributes", "detail-type", "source", "account", "region", "time", "resources", "taskToken", "TaskToken",
    "executionArn", "Execution", "UnprocessedItems", "UnprocessedKeys", "FailedRecordCount", "FailedPutCount", "ContentLength",
}  # fmt: skip
_LISTS = re.compile(r"COLUMNS|FIELDS|HEADER|REQUIRED|_KEYS$", re.IGNORECASE)
_RECORDS = re.compile(
    r"(body|order|item|record|payload|message|data|row|detail|document|event|line|json|loads)\w*(\[[^\]]*\]|\(.*\))?$",
    re.IGNORECASE,
)
# What both have, and where it is the record's.
_ALSO_OF_RECORDS = {"name", "key", "source", "time", "region", "size", "version", "path", "account", "message", "Type", "data"}
_BODY = re.compile(r"(body|order|item|payload|row|document|loads)\w*(\[[^\]]*\]|\(.*\))?$", re.IGNORECASE)
_JAVASCRIPT_KEYS = re.compile(
    r"(?:const|let|var)\s*\{([^}]*)\}\s*=\s*(?:JSON\.parse|\w*(?:body|order|item|record|payload|message|data|event|row)\w*)"
    r"|\b\w*(?:body|order|item|payload|message|data|row|input|detail)\.([A-Za-z_]\w*)", re.IGNORECASE,
)  # fmt: skip
_METHODS = {
    "push", "map", "filter", "forEach", "length", "toString", "trim", "split", "join", "slice", "then", "catch", "parse",
    "stringify", "log", "includes", "send", "keys", "values", "get", "set", "reduce", "id_", "splice", "concat", "shift",
    "unshift", "pop", "find", "findIndex", "some", "every", "indexOf", "sort", "reverse", "flat", "flatMap", "entries",
    "replace", "replaceAll", "toUpperCase", "toLowerCase", "startsWith", "endsWith", "promise", "on", "pipe", "toISOString",
}  # fmt: skip


def fields_of_code(handlers: Iterable[Path]) -> tuple[str, dict[str, dict[str, Any]]]:
    """Returns where the fields were found, in words, and the fields as a scenario has them; ("", {}) where the code says nothing. `handlers` are the files with the
    functions' handlers; what they import from beside them is read too."""
    paths = list(handlers)
    trees = trees_of(paths)
    for path, tree in trees.items():
        for schema in _schemas(tree):
            return f"the JSON schema in {path.name}", fields_of_schema(schema)
    for path in sorted({one for handler in paths for one in handler.parent.glob("*.json")}):
        schema = _json(path)
        if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
            return f"the JSON schema {path.name}", fields_of_schema(schema)
    models = models_of(trees.values())
    if (used := models.record()) is not None:
        return f"the model {used}", models.fields(used)
    columns = [name for tree in trees.values() for name in _columns(tree) if NAME.fullmatch(name)]
    if columns:
        return "the columns that the code names", {name: text_field(guessed(name)) for name in dict.fromkeys(columns)}
    keys = list(dict.fromkeys(key for tree in trees.values() for key in _keys(tree)))
    keys = keys or list(dict.fromkeys(key for path in paths for key in _javascript_keys(path)))
    return ("the keys that the code reads", {key: guessed(key) for key in keys}) if keys else ("", {})


def trees_of(handlers: Iterable[Path]) -> dict[Path, ast.Module]:
    """Returns the syntax trees of files in Python, and of what they import from beside them."""
    trees: dict[Path, ast.Module] = {}
    for path in handlers:
        _read(path, trees)
    return trees


def _read(path: Path, trees: dict[Path, ast.Module], depth: int = 0) -> None:
    """Adds the syntax tree of a Python file and of what it imports from beside it, or from the root of its code."""
    if path.suffix != ".py" or path in trees or len(trees) >= _MOST_FILES or depth > _DEEPEST:
        return
    try:
        if path.stat().st_size > _MOST_BYTES:
            return
        trees[path] = ast.parse(path.read_text("utf-8"))
    except (OSError, *MISTYPED, SyntaxError):
        return
    for node in ast.walk(trees[path]):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" if node.module else alias.name for alias in node.names)]
        for name in filter(None, names):
            found = next((file for file in _files(path.parent, name) if file.is_file() and file != path), None)
            if found is not None:
                _read(found, trees, depth + 1)


def _files(folder: Path, module: str) -> Iterator[Path]:
    """Yields where a module may lie: by its whole name first, since a part of it may be the name of another."""
    parts = module.split(".")
    roots = (folder, *list(folder.parents)[:_DEEPEST])
    return (root / f"{'/'.join(parts[start:])}.py" for start in range(len(parts)) for root in roots)


def fields_of_schema(schema: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the fields of an object's JSON schema."""
    return {
        name: _of_schema(name, one) for name, one in schema["properties"].items() if isinstance(one, dict) and NAME.fullmatch(name)
    }


def _of_schema(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return {"type": "choice", "of": schema["enum"]}
    if "const" in schema:
        return {"type": "choice", "of": [schema["const"]]}
    kind = schema.get("type")
    kind = next((one for one in kind if one != "null"), None) if isinstance(kind, list) else kind
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum", schema.get("exclusiveMaximum"))
    match kind:
        case "integer":
            first = 1 if low is None else int(low) + ("exclusiveMinimum" in schema)
            return {"type": "int", "min": first, "max": first + 99 if high is None else int(high) - ("exclusiveMaximum" in schema)}
        case "number":
            return {
                "type": "decimal",
                "min": 1 if low is None else low + ("exclusiveMinimum" in schema),
                "max": (low or 0) + 500 if high is None else high,
                "places": 2,
            }
        case "boolean":
            return {"type": "choice", "of": [True, False]}
        case "object" if isinstance(schema.get("properties"), dict) and schema["properties"]:
            return {"type": "nested", "fields": fields_of_schema(schema)}
        case "array":
            items = schema.get("items")
            inner = _of_schema(name, items) if isinstance(items, dict) else {"type": "choice", "of": ["alpha"]}
            return {
                "type": "list",
                "of": inner,
                "min": max(1, int(schema.get("minItems", 1))),
                "max": max(3, int(schema.get("minItems", 1))),
            }
        case _:
            return _string(name, schema)


def _string(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    by_format = {"uuid": {"type": "uuid"}, "date-time": {"type": "datetime"}, "date": {"type": "date"}, "email": {"type": "email"}}
    known = schema.get("examples") or examples(str(schema.get("pattern") or ""))
    if isinstance(known, list) and known:
        return {"type": "choice", "of": known}
    return by_format.get(str(schema.get("format"))) or text_field(guessed(name), schema.get("maxLength"))


def _schemas(tree: ast.Module) -> Iterator[dict[str, Any]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            try:
                value = ast.literal_eval(node)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                continue
            if isinstance(value, dict) and isinstance(value.get("properties"), dict) and value["properties"]:
                yield value


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8")) if path.stat().st_size <= _MOST_BYTES else None
    except (OSError, *MISTYPED):
        return None


def _columns(tree: ast.Module) -> Iterator[str]:
    """Yields the names of a constant such as COLUMNS = ("order_id", "amount")."""
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and _LISTS.search(target.id) and isinstance(value, ast.Tuple | ast.List | ast.Set):
            yield from (one.value for one in value.elts if isinstance(one, ast.Constant) and isinstance(one.value, str))


def _keys(tree: ast.Module) -> Iterator[str]:
    """Yields the keys that code reads of a record: `order["key"]`, `body.get("key")`."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=read, slice=ast.Constant(value=str() as key), ctx=ast.Load()):
                pass
            case ast.Call(func=ast.Attribute(value=read, attr="get"), args=[ast.Constant(value=str() as key), *_]):
                pass
            case _:
                continue
        text = ast.unparse(read)
        of_record = key in _ALSO_OF_RECORDS and _BODY.search(text)
        if _RECORDS.search(text) and NAME.fullmatch(key) and (key not in _ENVELOPE or of_record):
            yield key


def _javascript_keys(path: Path) -> Iterator[str]:
    if path.suffix == ".py" or path.stat().st_size > _MOST_BYTES:
        return
    for match in _JAVASCRIPT_KEYS.finditer(path.read_text("utf-8", "replace")):
        names = re.findall(r"([A-Za-z_]\w*)\s*(?::\s*\w+)?\s*(?:=[^,]*)?(?:,|$)", match[1]) if match[1] else [match[2]]
        yield from (name for name in names if name not in _ENVELOPE and name not in _METHODS)
