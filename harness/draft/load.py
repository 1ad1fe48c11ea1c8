"""What a load is drawn from: the fields of the records and the form of their files, by the sample, by the code or by the events beside the template."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.draft import infer
from harness.draft.code import fields_of_code, trees_of
from harness.draft.filters import merged
from harness.draft.forms import form_of_files
from harness.draft.sample import payloads, read_sample
from harness.errors import UsageError
from harness.stack.functions import functions
from harness.stack.template import is_local

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.draft.graph import Entry
    from harness.stack.template import Template


@dataclass
class Load:
    """The fields of a load and its format, and where they are from. `records` are those of a sample."""

    form: str = "events"
    list_key: str | None = None
    said: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The fields that a filter asks for."""

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

    def pass_filter(self, name_of_id: str | None) -> None:
        """Puts the values that a filter asks for in the place of others. An id stays different for each record: it can begin as the filter asks."""
        asked = dict(self.asked)
        if name_of_id in asked:
            of_id = asked.pop(name_of_id)
            if "prefix" in of_id:
                self.fields[name_of_id] = {"type": "uuid", "prefix": of_id["prefix"]}
        self.fields = merged(self.fields, asked)


def load_of(template: Template, code: Sequence[Path], entry: Entry, suffix: str, sample: Path | None) -> Load:
    """Returns what the sample says, else what the code says, else what the events beside the template say."""
    load = Load()
    if sample is not None:
        load.form, load.records, load.list_key = read_sample(sample)
        load.said = f"the sample {sample.name}"
    else:
        load.said, load.fields = fields_of_code(code)
        if not load.fields or load.said.startswith("the keys"):
            load.said, load.records = next(_events_of_project(template), (load.said, []))
        load.form, load.list_key = form_of_files(suffix, code, list(definitions_of(template)), trees_of(code))
    is_one = sample is None and len(load.records) == 1
    if entry.kind != "s3" or (load.form == "json" and is_one):
        load.form = "events"
    elif load.form == "json" and load.said.startswith("the keys"):
        load.fields.pop(load.list_key or "records", None)
    return load


def code_of(template: Template, names: Sequence[str]) -> Iterator[Path]:
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


def definitions_of(template: Template) -> Iterator[Path]:
    """Yields the definitions of state machines that are files."""
    for resource in template.resources.values():
        uri = (resource.get("Properties") or {}).get("DefinitionUri")
        if resource["Type"] == "AWS::Serverless::StateMachine" and is_local(uri) and (template.path.parent / uri).is_file():
            yield template.path.parent / uri


def _events_of_project(template: Template) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yields the records of the events beside a template, as `sam local invoke` takes them."""
    for path in sorted(template.path.parent.glob("event*/*.json")):
        try:
            records = read_sample(path).records
        except UsageError:
            continue
        if records and not list(payloads(records[0])) and "Records" not in records[0] and infer.id_field(records):
            yield f"the event {path.parent.name}/{path.name}", records
