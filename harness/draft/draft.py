"""Writes a scenario for a template: a way in, a load, the places where records may end, and what will not run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness.draft import infer
from harness.draft.approvals import approval, queues_to_a_person, waits_for_somebody
from harness.draft.code import trees_of
from harness.draft.document import Draft
from harness.draft.filters import fields_of_pattern, patterns_of
from harness.draft.graph import STORES, Graph, graph_of, takers
from harness.draft.guess import guessed, recent
from harness.draft.ingress import key_rules, send_of, way_in
from harness.draft.load import Load, code_of, definitions_of, load_of
from harness.draft.lookups import attributes, keys_of, lookup_tables
from harness.draft.places import probes
from harness.draft.plain import plain
from harness.draft.queries import filter_of, queries_in, queries_of_code
from harness.errors import UsageError
from harness.stack.functions import functions
from harness.stack.template import read_template
from harness.stack.values import parameter_values, text_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.draft.graph import Entry
    from harness.stack.template import Template

RECORDS = 200
# The default of `drain_timeout_s`, and the time that a run needs besides.
_DRAIN_S, _MORE_S = 120, 60

# So few records do not tell what may differ.
_FEW = 3


def draft(template_path: Path, sample: Path | None, shown: str, unsupported: Sequence[str]) -> Draft:
    """Returns a scenario for a template. `shown` is the template's path as the scenario has it; `unsupported` is what the emulator cannot make.

    Raises UsageError where the template or the sample cannot be read, or nothing in the template takes records."""
    try:
        return _draft(template_path, sample, shown, unsupported)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # A stranger's template, code and sample may have anything anywhere, and a draft is only a help.
        raise UsageError(
            f"template {template_path}: no draft can be made of it ({type(error).__name__}: {error}). Write the scenario by hand: docs/scenarios.md"
        ) from error


def _draft(template_path: Path, sample: Path | None, shown: str, unsupported: Sequence[str]) -> Draft:
    template = read_template(template_path)
    values = parameter_values(template.document, {}, "000000000000")
    template = plain(template, values)
    graph = graph_of(template, values)
    entry = way_in(graph, template)
    if entry is None:
        raise UsageError(f"template {template_path}: found no way in: {_why_none(graph)}. Write `send` by hand: docs/scenarios.md")
    made = Draft()
    made.document["description"] = f"{template_path.resolve().parent.name}: every record is accounted for."
    made.document["stack"] = {"template": shown}
    _stack(made, template, unsupported)
    made.document["iam"] = "enforce"
    rules = key_rules(entry, values)
    code = list(code_of(template, takers(graph, template, entry)))
    load = load_of(template, code, entry, rules[1], sample)
    _pass_filters(made, load, entry, values)
    looked_up = dict(lookup_tables(template, graph))
    _source(made, load, rules[0] if entry.kind == "s3" else None, list(_keys_of_tables(template, looked_up)))
    queries = [
        *queries_in(template.document.get("Resources")),
        *queries_in([one for one in values.values() if isinstance(one, str)]),
    ]
    _filter(made, load, [*queries, *queries_of_code(trees_of(code).values())])
    _lookups(made, looked_up, load, attributes(trees_of(code).values()))
    made.document["send"] = send_of(entry, template, values, load.fields, load.form)
    taker = f" ({entry.target} takes them)" if entry.target and entry.target != entry.source else ""
    made.say("send", f"The way in: {entry.kind} {entry.source}".rstrip() + taker + ".")
    others = sorted(
        {other.source or other.kind for other in graph.entries if other.source not in graph.written} - {entry.source or entry.kind}
    )
    if others:
        made.say("send", f"Other ways in, without a load here: {', '.join(others)}.")
    asked = _approval(made, template, graph)
    probes(made, template, graph, entry, {*looked_up, *asked})
    if (slowest := max(_redrives_s(template, values), default=0)) > _DRAIN_S:
        made.document["drain_timeout_s"] = slowest
        made.say(
            "drain_timeout_s",
            "A message that always fails is a dead letter after this time, by its queue's VisibilityTimeout and maxReceiveCount.",
        )
    return made


def _redrives_s(template: Template, values: Mapping[str, Any]) -> Iterator[int]:
    """Yields for each queue how many seconds pass until a message that always fails is in the dead-letter queue, with a margin."""
    for resource in template.resources.values():
        properties = resource.get("Properties") or {}
        policy = properties.get("RedrivePolicy")
        if resource["Type"] == "AWS::SQS::Queue" and isinstance(policy, dict):
            visibility, most = (
                text_of(properties.get("VisibilityTimeout", 30), values),
                text_of(policy.get("maxReceiveCount"), values),
            )
            if visibility and most and visibility.isdecimal() and most.isdecimal():
                yield int(visibility) * int(most) + _MORE_S


def _why_none(graph: Graph) -> str:
    kinds = sorted({entry.kind for entry in graph.entries})
    return f"the events of the template are {', '.join(kinds)}" if kinds else "no resource of the template has an event"


def _stack(made: Draft, template: Template, unsupported: Sequence[str]) -> None:
    made.say("iam", "A call that no policy allows is denied, as on AWS. With `report` the run only tells it.")
    needed = [key for key, one in (template.document.get("Parameters") or {}).items() if "Default" not in one]
    if needed:
        guessed = {key: _parameter(key, template.document["Parameters"][key]) for key in needed}
        made.document["stack"]["parameters"] = guessed
        made.say("stack", f"Parameters without a default: {', '.join(needed)}. Their values here are guesses.")
    for one in unsupported:
        made.say("stack", f"WILL NOT RUN: {one}")
    if unsupported:
        made.say("stack", "`pipeproof run --ignore-unsupported` runs without what is not a runtime; the verdict is unknown then.")


def _parameter(name: str, declared: Mapping[str, Any]) -> str:
    allowed = declared.get("AllowedValues")
    if isinstance(allowed, list) and allowed:
        return str(allowed[0])
    if declared.get("Type") == "Number":
        return str(declared.get("MinValue", 1))
    if "mail" in name.lower():
        return "somebody@example.org"
    return name.lower()[:20]


def _source(made: Draft, load: Load, prefix: str | None, keys: Sequence[tuple[str, ...]]) -> None:
    # The first half of a key is a name only where there is no better one: another item may have it too.
    name = load.name_of_id([first for first, *rest in keys if not rest]) or load.name_of_id([first for first, *_ in keys])
    load.pass_filter(name)
    for one in infer.left_out(load.records):
        made.say(
            "source",
            f"The field {one!r} is left out: the name of a field begins with a letter, and has letters, digits, blanks, dots and dashes.",
        )
    if name is None:
        of_table: tuple[str, ...] = next((key for key in keys if key[0] not in load.fields), ())
        name = of_table[0] if of_table else next((one for one in ("id", "record_id") if one not in load.fields), "id")
        load.fields = {name: {"type": "uuid"}, **{other: guessed(other) for other in of_table[1:]}, **load.fields}
        why = "which is the key of a table" if of_table else "which must stand where a record is stored"
        made.say("source", f"No field tells the records apart, so `{name}` was added, {why}.")
    else:
        made.say(
            "source",
            f"`{name}` tells the records apart: each gets another value. Where several may have the same one, choose another `id`.",
        )
    unknown = "Nothing says which fields the records have: write them here, or give --sample FILE."
    made.say("source", f"Its fields are those of {load.said}." if load.said else unknown)
    if 0 < len(load.records) < _FEW:
        made.say(
            "source",
            "Few records were there to learn from: a value that all of them have is the only one that is drawn. Widen what may differ.",
        )
    source: dict[str, Any] = {"kind": "synthetic", "records": RECORDS}
    source |= {"format": load.form, "files": 2} if load.form != "events" else {}
    source |= {"list_key": load.list_key} if load.form == "json" else {}
    source |= {"name": "records", "prefix": prefix} if prefix is not None else {}
    made.say(
        "source",
        "`drop` has all fields: nothing is promised but that each record arrives. Take out what is stored unchanged, and it is compared.",
    )
    made.say(
        "source",
        "`vary: true` adds what real senders write: offsets, blanks, byte order marks (docs/scenarios.md). `malformed: {share: 0.05}` adds what is wrong.",
    )
    if not load.records:
        made.say(
            "source",
            "`guessed: true`: the fields are guesses, so the pipeline may rightly refuse the records. If it stores none, or gives some up, the verdict is unknown. Remove the key when the fields are right.",
        )
    unseen = {} if load.records else {"guessed": True}
    made.document["source"] = source | {
        "id": name,
        "fields": recent(load.fields, datetime.now(UTC).date()),
        "drop": list(load.fields),
        "vary": False,
        **unseen,
    }


def _filter(made: Draft, load: Load, queries: Sequence[str]) -> None:
    """Says which records the queries leave out: they are filtered, and not lost."""
    if not queries:
        return
    source = made.document["source"]
    expression = filter_of(queries, source["fields"], as_text=load.form == "csv")
    said = " ".join(queries[0].split())
    if expression is None:
        made.say(
            "source", f"Say with `filtered` which records this query leaves out (docs/scenarios.md), else they are lost: {said}"
        )
    else:
        source["filtered"] = expression
        made.say("source", f"`filtered`: the query leaves records out: {said}")


def _pass_filters(made: Draft, load: Load, entry: Entry, values: Mapping[str, Any]) -> None:
    """Gives the records what the filter in front of the taker asks for."""
    patterns = list(patterns_of(entry, values))
    if entry.settings.get("FilterPolicy") and not patterns:
        made.say("send", "The subscription's filter policy reads message attributes, and the load sends none.")
    for pattern in patterns[:1]:
        load.asked = fields_of_pattern(pattern)
        made.say(
            "source",
            f"The fields have values that the filter of {entry.target} lets through: {json.dumps(pattern)}. Of other records say that they are `filtered`.",
        )


def _lookups(made: Draft, tables: Mapping[str, list[str]], load: Load, attributes: Sequence[str]) -> None:
    """Puts into a table that the pipeline only reads what it will look up there."""
    source = made.document["source"]
    for table, keys in tables.items():
        fields = {name: load.fields.get(name) or guessed(name) for name in attributes if name not in keys}
        if len(keys) != 1 or keys[0] not in load.fields or not fields or "lookup" in source:
            made.say(
                "source", f"{table} is only read here: put into it what is looked up, with `setup` or `lookup` (docs/scenarios.md)."
            )
            continue
        (key,) = keys
        if key == source["id"]:
            source["lookup"] = {"records": "each", "key": key, "fields": fields}
        else:
            source["lookup"] = {"records": 50, "key": key, "fields": {key: source["fields"][key], **fields}}
            source["fields"] = {**source["fields"], key: {"type": "lookup"}}
        made.document["lookup"] = {"table": f"${{resources.{table}}}"}
        source["guessed"] = True
        made.say("lookup", f"{table} is only read here. Its attributes are guesses: those that the code reads, as texts.")


def _keys_of_tables(template: Template, looked_up: Container[str]) -> Iterator[tuple[str, ...]]:
    """Yields the names of each table's key, if it is a text. The key of a table that is looked into need not tell records apart."""
    for logical_id, resource in template.resources.items():
        if STORES.get(resource["Type"]) == "table" and logical_id not in looked_up and (keys := keys_of(resource)):
            yield tuple(keys)


def _approval(made: Draft, template: Template, graph: Graph) -> set[str]:
    """Lets somebody approve what waits for it. Returns the queue with the messages to them."""
    definitions = [path.read_text("utf-8", "replace") for path in definitions_of(template)]
    if not waits_for_somebody(template, definitions):
        return set()
    queues = queues_to_a_person(template, graph)
    if len(queues) != 1:
        made.say(
            "send",
            "A state machine waits for a token, and not just one queue sounds as if it had the messages: see `approve` in docs/scenarios.md.",
        )
        return set()
    (queue,) = queues
    code = trees_of(code_of(template, [function.logical_id for function in functions(template, {})])).values()
    made.document["actors"] = [approval(queue, [*definitions, str(template.document)], code)]
    made.say("actors", f"A state machine waits for an answer: whatever comes into {queue} is approved.")
    return {queue}
