"""The way into a stack: which of its entries a load takes, and what a scenario's `send` says of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harness.draft.graph import STORES, TAKERS, Graph, takers
from harness.stack.values import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.draft.graph import Entry
    from harness.stack.template import Template

_ORDER = ("api", "httpapi", "rest method", "kinesis", "firehose", "sqs", "sns", "eventbridge", "s3", "dynamodb", "mapping")
_BY_STORE = {"queue": "sqs", "stream": "kinesis", "table": "dynamodb"}
_TAKES_RECORDS = {"post", "put", "any", "x-amazon-apigateway-any-method", "patch"}
_PARAMETER = re.compile(r"\{([^{}+]+)\+?\}")


def way_in(graph: Graph, template: Template) -> Entry | None:
    """Returns the entry that a sender outside of the stack uses: one that no function writes to; of several the one that is nearest to a client. None where the stack has
    no entry that takes records."""
    found = [
        entry
        for entry in graph.entries
        if _kind(entry, template) in _ORDER and _takes_records(entry) and entry.source not in graph.failures
        if takers(graph, template, entry) or entry.kind == "firehose" or _leads_on(entry, template)
    ]
    free = [entry for entry in found if entry.source not in graph.written]
    # A pipeline may store in the bucket that it reads: under other prefixes.
    buckets = [entry for entry in found if entry.kind == "s3"]
    return min(free or buckets or found, key=lambda entry: _ORDER.index(_kind(entry, template)), default=None)


def _leads_on(entry: Entry, template: Template) -> bool:
    """Returns whether records go on without a function: into a store, a state machine or a bus."""
    return entry.target != entry.source and (template.resources.get(entry.target) or {}).get("Type") in TAKERS


def _kind(entry: Entry, template: Template) -> str:
    if entry.kind != "mapping":
        return entry.kind
    store = STORES.get((template.resources.get(entry.source) or {}).get("Type", ""), "")
    return _BY_STORE.get(store, "mapping unknown")


def _takes_records(entry: Entry) -> bool:
    if entry.kind in {"api", "httpapi"}:
        return str(entry.settings.get("Method", "ANY")).lower() in _TAKES_RECORDS
    if entry.kind == "rest method":
        return str(entry.settings.get("HttpMethod", "")).lower() in _TAKES_RECORDS
    if entry.kind == "eventbridge":
        sources = (entry.settings.get("Pattern") or {}).get("source") or []
        return not any(str(source).startswith("aws.") for source in sources) and bool(entry.settings.get("Pattern"))
    return bool(entry.source)


def send_of(entry: Entry, template: Template, values: Mapping[str, Any], fields: Mapping[str, Any], form: str) -> dict[str, Any]:
    """Returns the keys of `send`. `fields` are those of the records, `form` is the format of the load."""
    resource = f"${{resources.{entry.source}}}"
    match _kind(entry, template):
        case "api" | "httpapi" | "rest method":
            return _api(entry, template, values, fields)
        case "kinesis":
            return {"to": "kinesis", "stream": resource}
        case "firehose":
            return {"to": "firehose", "delivery_stream": resource, "separator": "\n"}
        case "sqs":
            return {"to": "sqs", "queue_url": resource}
        case "sns":
            return {"to": "sns", "topic_arn": resource}
        case "dynamodb":
            return {"to": "dynamodb", "table": resource}
        case "eventbridge":
            return _rule(entry)
        case _:
            prefix, suffix = key_rules(entry, values)
            return {"to": "s3", "bucket": resource} | (
                {} if form != "events" else {"key": f"{prefix}{{record_id}}{suffix or '.json'}"}
            )


def key_rules(entry: Entry, values: Mapping[str, Any]) -> tuple[str, str]:
    """Returns what the keys of a bucket's notification begin and end with. `values` are those of the template's parameters."""
    rules = ((entry.settings.get("Filter") or {}).get("S3Key") or {}).get("Rules") or []
    found = {str(rule.get("Name")).lower(): text_of(rule.get("Value"), values) or "" for rule in rules if isinstance(rule, dict)}
    return found.get("prefix", ""), found.get("suffix", "")


def _rule(entry: Entry) -> dict[str, Any]:
    pattern = entry.settings.get("Pattern") or {}
    keys = {
        "to": "eventbridge",
        "source": _literal(pattern.get("source"), "pipeproof"),
        "detail_type": _literal(pattern.get("detail-type"), "record"),
    }
    return keys | ({"bus": f"${{resources.{entry.source}}}"} if entry.source else {})


def _literal(values: Any, default: str) -> str:
    """Returns a text that a list of a pattern matches."""
    for value in values if isinstance(values, list) else []:
        if isinstance(value, str):
            return value
        if isinstance(value, dict) and isinstance(value.get("prefix"), str):
            return str(value["prefix"])
    return default


def _api(entry: Entry, template: Template, values: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    http = entry.kind == "httpapi"
    name = entry.source or ("ServerlessHttpApi" if http else "ServerlessRestApi")
    api = (template.resources.get(entry.source) or {}).get("Properties") or {}
    common = (template.document.get("Globals") or {}).get("HttpApi" if http else "Api") or {}
    stage = _stage(entry, template, values, api, common)
    base = f"https://${{resources.{name}}}.execute-api.us-east-1.amazonaws.com" + (f"/{stage}" if stage else "")
    path = str(entry.settings.get("Path") or "/")
    if entry.kind == "rest method":
        path = _path_of(entry, template)

    def parameter(match: re.Match[str]) -> str:
        return f"{{{match[1]}}}" if match[1] in fields else "{record_id}"

    method = str(entry.settings.get("Method") or entry.settings.get("HttpMethod") or "POST").upper()
    keys: dict[str, Any] = {"to": "api", "url": base, "path": _PARAMETER.sub(parameter, path)}
    if method != "POST":
        keys["method"] = "POST" if "ANY" in method else method
    auth = {**(common.get("Auth") or {}), **(api.get("Auth") or {}), **(entry.settings.get("Auth") or {})}
    if str(auth.get("ApiKeyRequired") or entry.settings.get("ApiKeyRequired") or False).lower() == "true":
        own = next((key for key, one in template.resources.items() if one["Type"] == "AWS::ApiGateway::ApiKey"), f"{name}ApiKey")
        keys["api_key"] = f"${{resources.{own}}}"
    if "AWS_IAM" in {str(auth.get("DefaultAuthorizer")), str(auth.get("Authorizer")), str(entry.settings.get("AuthorizationType"))}:
        keys["sign"] = True
    return keys


def _stage(entry: Entry, template: Template, values: Mapping[str, Any], api: Mapping[str, Any], common: Mapping[str, Any]) -> str:
    if entry.kind == "httpapi":
        own = text_of(api.get("StageName") or common.get("StageName"), values)
        return "" if own in {None, "$default"} else str(own)
    stages = [
        one.get("Properties") or {}
        for one in template.resources.values()
        if one["Type"] in {"AWS::ApiGateway::Stage", "AWS::ApiGateway::Deployment"}
    ]
    named = [text_of(api.get("StageName"), values), *(text_of(one.get("StageName"), values) for one in stages)]
    return next((name for name in named if name), "Prod")


def _path_of(entry: Entry, template: Template) -> str:
    """Returns the path of a method of API Gateway, from the resources that its own is below."""
    parts: list[str] = []
    reference = entry.settings.get("ResourceId")
    while (
        isinstance(reference, dict)
        and isinstance(name := reference.get("Ref"), str)
        and name in template.resources
        and len(parts) < 20
    ):
        properties = template.resources[name].get("Properties") or {}
        parts.insert(0, str(properties.get("PathPart")))
        reference = properties.get("ParentId")
    return "/" + "/".join(parts)
