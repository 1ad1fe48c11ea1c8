"""Writes a scenario for a template: a way in, a load, the places where records may end, and what will not run."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml

from harness.draft import infer
from harness.draft.code import fields_of_code, form_of_files
from harness.draft.graph import STORES, Graph, graph_of, takers
from harness.draft.guess import guessed, recent
from harness.draft.ingress import key_rules, send_of, way_in
from harness.draft.sample import payloads, read_sample
from harness.errors import UsageError
from harness.stack.functions import functions
from harness.stack.template import is_local, read_template
from harness.stack.values import parameter_values, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.draft.graph import Entry
    from harness.stack.template import Template

RECORDS = 200
# The default of `drain_timeout_s`, and the time that a run needs besides.
_DRAIN_S, _MORE_S = 120, 60
_UNDER_WAY = re.compile(r"(^|[/_.-])(work|working|tmp|temp|scratch|staging|chunks?|partial)([/_.-]|$)", re.IGNORECASE)


@dataclass
class Draft:
    """A scenario as plain data, and what a person should know of each part of it."""

    document: dict[str, Any] = field(default_factory=dict)
    comments: dict[str, list[str]] = field(default_factory=dict)

    def say(self, key: str, text: str) -> None:
        self.comments.setdefault(key, []).append(text)


def draft(template_path: Path, sample: Path | None, shown: str, unsupported: Sequence[str]) -> Draft:
    """Returns a scenario for a template. `shown` is the template's path as the scenario has it; `unsupported` is what the emulator cannot make.

    Raises UsageError where the template or the sample cannot be read, or nothing in the template takes records."""
    template = read_template(template_path)
    values = parameter_values(template.document, {}, "000000000000")
    graph = graph_of(template, values)
    entry = way_in(graph, template)
    if entry is None:
        raise UsageError(f"template {template_path}: found no way in: {_why_none(graph)}. Write `send` by hand: docs/scenarios.md")
    made = Draft()
    made.document["description"] = f"{template_path.resolve().parent.name}: every record is accounted for."
    made.document["stack"] = {"template": shown}
    _stack(made, template, unsupported)
    rules = key_rules(entry, values)
    load = _load_of(template, list(_code_of(template, takers(graph, template, entry))), entry, rules[1], sample)
    _source(made, load, rules[0] if entry.kind == "s3" else None, list(_keys_of_tables(template)))
    made.document["send"] = send_of(entry, template, values, load.fields, load.form)
    taker = f" ({entry.target} takes them)" if entry.target and entry.target != entry.source else ""
    made.say("send", f"The way in: {entry.kind} {entry.source}".rstrip() + taker + ".")
    others = sorted(
        {other.source or other.kind for other in graph.entries if other.source not in graph.written} - {entry.source or entry.kind}
    )
    if others:
        made.say("send", f"Other ways in, without a load here: {', '.join(others)}.")
    _probes(made, template, graph, entry)
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


@dataclass
class _Load:
    """The fields of a load and its format, and where they are from. `records` are those of a sample."""

    form: str = "events"
    said: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)

    def name_of_id(self, keys: Sequence[str]) -> str | None:
        """Returns the field that tells the records apart; its values differ then. `keys` are those of tables."""
        if self.records:
            name = infer.id_field(self.records, keys)
            self.fields = infer.fields_of(self.records, name or "", as_text=self.form == "csv")
            return name
        name = infer.id_field([dict.fromkeys(self.fields, "x")], keys) if self.fields else None
        if name is not None and self.fields[name]["type"] != "uuid":
            # CSV has no types: a field that accepts digits takes a number.
            known = self.fields[name].get("of", ()) if self.form == "csv" else ()
            self.fields[name] = infer.unique(known) if known and str(known[0]).isdecimal() else {"type": "uuid"}
        return name


def _load_of(template: Template, code: Sequence[Path], entry: Entry, suffix: str, sample: Path | None) -> _Load:
    """Returns what the sample says, else what the code says, else what the events beside the template say."""
    load = _Load()
    if sample is not None:
        load.form, load.records = read_sample(sample)
        load.said = f"the sample {sample.name}"
    else:
        load.said, load.fields = fields_of_code(code)
        if not load.fields or load.said.startswith("the keys"):
            load.said, load.records = next(_events_of_project(template), (load.said, []))
        load.form = form_of_files(suffix, code, list(_definitions(template)))
    if entry.kind != "s3":
        load.form = "events"
    return load


def _source(made: Draft, load: _Load, prefix: str | None, keys: Sequence[tuple[str, ...]]) -> None:
    name = load.name_of_id([first for first, *_ in keys])
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
    unknown = "Nothing says which fields the records have: write them here, or give --sample FILE."
    made.say("source", f"Its fields are those of {load.said}." if load.said else unknown)
    source: dict[str, Any] = {"kind": "synthetic", "records": RECORDS}
    source |= {"format": load.form, "files": 2} if load.form != "events" else {}
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


def _keys_of_tables(template: Template) -> Iterator[tuple[str, ...]]:
    """Yields the names of each table's key, if they are texts."""
    for resource in template.resources.values():
        properties = resource.get("Properties") or {}
        if resource["Type"] in {"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"}:
            types = {one.get("AttributeName"): one.get("AttributeType") for one in properties.get("AttributeDefinitions") or ()}
            parts = sorted(properties.get("KeySchema") or (), key=lambda part: str(part.get("KeyType")))
            names = tuple(str(part.get("AttributeName")) for part in parts)
            if names and types.get(names[0]) == "S":
                yield names
        elif resource["Type"] == "AWS::Serverless::SimpleTable":
            key = properties.get("PrimaryKey") or {}
            if key.get("Type", "String") == "String":
                yield (str(key.get("Name", "id")),)


def _code_of(template: Template, names: Sequence[str]) -> Iterator[Path]:
    """Yields the files with the handlers of these functions."""
    by_name = {function.logical_id: function for function in functions(template, {})}
    for name in names:
        properties = by_name[name].properties
        uri, handler = properties.get("CodeUri", properties.get("Code")), properties.get("Handler")
        if is_local(uri) and isinstance(handler, str):
            parts = handler.rpartition(".")[0].replace(".", "/").split("/")
            # A package of the code may be made of the directory that it lies in.
            stems = ["/".join(parts[start:]) for start in range(len(parts))]
            files = (
                template.path.parent / uri / f"{stem}{suffix}" for stem in stems for suffix in (".py", ".js", ".mjs", ".cjs", ".ts")
            )
            if (found := next((file for file in files if file.is_file()), None)) is not None:
                yield found


def _definitions(template: Template) -> Iterator[Path]:
    """Yields the definitions of state machines that are files."""
    for resource in template.resources.values():
        uri = (resource.get("Properties") or {}).get("DefinitionUri")
        if resource["Type"] == "AWS::Serverless::StateMachine" and is_local(uri) and (template.path.parent / uri).is_file():
            yield template.path.parent / uri


def _events_of_project(template: Template) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yields the records of the events beside a template, as `sam local invoke` takes them."""
    for path in sorted(template.path.parent.glob("event*/*.json")):
        try:
            _, records = read_sample(path)
        except UsageError:
            continue
        if records and not list(payloads(records[0])) and "Records" not in records[0] and infer.id_field(records):
            yield f"the event {path.parent.name}/{path.name}", records


def _probes(made: Draft, template: Template, graph: Graph, entry: Entry) -> None:
    places, streams = [], []
    for logical_id, resource in template.resources.items():
        store = STORES.get(resource["Type"])
        reference = f"${{resources.{logical_id}}}"
        gives_up = logical_id in graph.failures or _sounds_given_up(logical_id)
        outcome = {"outcome": "dead_lettered"} if gives_up else {"outcome": "alerted"} if "alert" in logical_id.lower() else {}
        if logical_id in graph.failed_batches and store == "queue":
            streams.append({"kind": "failed_batches", "queue_url": reference})
        elif store == "queue" and (gives_up or logical_id not in graph.consumed):
            places.append({"queue_url": reference, **outcome})
        elif store == "topic" and logical_id != entry.source and not _feeds(graph, logical_id):
            places.append({"topic_arn": reference, **(outcome or {"holds": "some"})})
        elif store == "table" and not (entry.source == logical_id and entry.kind in {"dynamodb", "mapping"}):
            places.append({"table": reference, **outcome})
        elif store == "bucket" and (logical_id != entry.source or logical_id in graph.written):
            places += _in_bucket(made, reference, graph.prefixes.get(logical_id, set()), outcome)
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


class _Plain(yaml.SafeDumper):
    """Writes a value twice rather than an anchor and an alias."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def written(made: Draft) -> str:
    """Returns the scenario file."""
    head = "# Written by `pipeproof init`. Run it: pipeproof run THIS_FILE. What each key means: docs/scenarios.md\n"
    parts = []
    for key, value in made.document.items():
        comments = "".join(f"# {line}\n" for line in made.comments.get(key, []))
        text = yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=140, default_flow_style=None)
        if isinstance(value, str | int):
            parts.append(f"{comments}{key}: {text.removesuffix('...' + chr(10))}")
        elif text.startswith("{"):
            parts.append(f"{comments}{key}: {text}")
        else:
            parts.append(f"{comments}{key}:\n{textwrap.indent(text, '  ')}")
    return head + "\n".join(parts)
