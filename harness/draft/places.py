"""The places where records may end: what each resource of a template is for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.draft.graph import STORES
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.draft.document import Draft
    from harness.draft.graph import Entry, Graph
    from harness.stack.template import Template

_UNDER_WAY = re.compile(r"(^|[/_.-])(work|working|tmp|temp|scratch|staging|chunks?|partial)([/_.-]|$)", re.IGNORECASE)


def probes(made: Draft, template: Template, graph: Graph, entry: Entry, no_places: set[str]) -> None:
    """Adds the probes. `no_places` are resources where no record ends. Raises UsageError where there is no place."""
    places: list[dict[str, str]] = []
    streams: list[dict[str, str]] = []
    for logical_id, resource in template.resources.items():
        if logical_id in graph.failed_batches and STORES.get(resource["Type"]) == "queue":
            streams.append({"kind": "failed_batches", "queue_url": f"${{resources.{logical_id}}}"})
        elif logical_id not in no_places:
            places += _of_resource(made, logical_id, STORES.get(resource["Type"]), graph, entry)
    own = {"bucket": "bucket", "table": "table"}.get(STORES.get((template.resources.get(entry.source) or {}).get("Type", ""), ""))
    if not places and own is not None:
        made.say("probes", "The template has no other place where records may end than the one where they come in.")
        places = [{own: f"${{resources.{entry.source}}}"}]
    if not places:
        raise UsageError(
            f"template {template.path}: found no bucket, table, queue or topic where records may end. Write `probes` by hand: docs/scenarios.md"
        )
    made.say(
        "probes",
        "A record is found by its id, anywhere in an object, item or message. Probes that read fields say more: s3, dynamodb, sqs.",
    )
    if sum(place.get("outcome") is None and place.get("holds") is None for place in places) > 1:
        made.say("probes", "Of a place where each record must end say `holds: every`, of one where not each does `holds: some`.")
    made.document["probes"] = [{"kind": "anywhere", "places": places}, *streams]


def _of_resource(made: Draft, logical_id: str, store: str | None, graph: Graph, entry: Entry) -> Iterator[dict[str, str]]:
    """Yields the places that a resource is."""
    reference = f"${{resources.{logical_id}}}"
    gives_up = logical_id in graph.failures or _sounds_given_up(logical_id)
    outcome = {"outcome": "dead_lettered"} if gives_up else {"outcome": "alerted"} if "alert" in logical_id.lower() else {}
    if store == "queue" and (gives_up or logical_id not in graph.consumed):
        yield {"queue_url": reference, **outcome}
    elif store == "topic" and logical_id != entry.source and not _feeds(graph, logical_id):
        yield {"topic_arn": reference, **(outcome or {"holds": "some"})}
    elif store == "table" and not (entry.source == logical_id and entry.kind in {"dynamodb", "mapping"}):
        yield {"table": reference, **outcome}
    elif store == "bucket" and (logical_id != entry.source or logical_id in graph.written):
        yield from _in_bucket(made, reference, graph.prefixes.get(logical_id, set()), outcome)


def _in_bucket(made: Draft, bucket: str, prefixes: set[str], outcome: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yields a place for each prefix that the policies let the pipeline write, or the whole bucket if they name no prefix."""
    ends = sorted(prefix for prefix in prefixes if not _UNDER_WAY.search(prefix))
    if not ends or "" in prefixes:
        yield {"bucket": bucket, **outcome}
        return
    for prefix in sorted(prefixes):
        if prefix not in ends:
            made.say("probes", f"`{prefix}` sounds like a place for what is under way: a record that stands there only is lost.")
            continue
        own = {"outcome": "dead_lettered"} if _sounds_given_up(prefix) else {}
        yield {"bucket": bucket, "prefix": prefix, **(outcome or own)}


def _feeds(graph: Graph, topic: str) -> bool:
    """Returns whether somebody within the stack takes what a topic has."""
    return any(entry.source == topic and entry.target for entry in graph.entries)


def _sounds_given_up(name: str) -> bool:
    plain = name.lower().replace("-", "").replace("_", "")
    return any(
        word in plain
        for word in ("dlq", "deadletter", "dead", "failed", "failure", "error", "reject", "invalid", "poison", "quarantine")
    )
