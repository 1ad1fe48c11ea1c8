"""Pages of the site that are made when it is built: the front page from README.md, the keys of a scenario from its models, the options of all commands from their
helps."""

from __future__ import annotations

import inspect
import re
import types
import typing
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from mkdocs.structure.files import File, Files
from pydantic import BaseModel

from harness.cli import main
from harness.faults.plan import LambdaFault, RecordFault, ServiceFault
from harness.parts.registry import ACTOR, CHECK, INGRESS, PROBE, SOURCE, find, kinds
from harness.scenario.scenario import ChaosPart, LookupPart, Scenario, SchedulesPart, StackPart
from harness.scenario.setup import SetupPart

ROOT = Path(__file__).parents[1]
PORTS = {"Sources": SOURCE, "Ingress: send": INGRESS, "Actors": ACTOR, "Probes": PROBE, "Checks": CHECK}
PARTS = {"stack": StackPart, "lookup": LookupPart, "setup": SetupPart, "chaos": ChaosPart, "schedules": SchedulesPart}
REPOSITORY = {"ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"}


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages."""
    for name, content in {
        "index.md": front_page(),
        "reference-scenario.md": scenario_reference(),
        "reference-commands.md": commands_reference(),
    }.items():
        files.append(File.generated(config, name, content=content))
    return files


def front_page() -> str:
    """Returns README.md, with its links as the site has them; what lies beside docs/ is not in the site."""
    text = (
        (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/adr)", "](adr/0001-own-kinesis-records-and-mappings.md)")
    )
    text = re.sub(r"\[([^\]]+)\]\(([A-Z]+\.md)\)", lambda link: link[1] if link[2] in REPOSITORY else link[0], text)
    return text.replace("](docs/", "](")


def scenario_reference() -> str:
    """Returns all keys of a scenario file."""
    lines = [
        "# All keys of a scenario",
        "",
        "Made from the models that read a scenario. [Scenarios](scenarios.md) explains them.",
        "",
        *_model("A scenario", Scenario, 2),
    ]
    for key, model in PARTS.items():
        lines += _model(f"`{key}`", model, 3)
    for title, port in PORTS.items():
        lines += [f"## {title}", ""]
        for kind in kinds(port):
            lines += _model(f"`{port.key}: {kind}`", find(port, kind), 3)
    lines += ["## Faults", ""]
    for title, model in {"Of AWS calls": ServiceFault, "Of functions": LambdaFault, "Of records": RecordFault}.items():
        lines += _model(title, model, 3)
    return "\n".join(lines) + "\n"


def _model(title: str, model: type[BaseModel], level: int) -> list[str]:
    lines = [f"{'#' * level} {title}", "", *_docstring(model), "| key | type | default |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        if name in {"kind", "use", "to"} and not field.is_required():
            continue
        default = "**required**" if field.is_required() else f"`{_value(field.get_default(call_default_factory=True))}`"
        lines.append(f"| `{field.alias or name}` | {_type(field.annotation)} | {default} |")
    return [*lines, ""]


def _docstring(model: type[BaseModel]) -> list[str]:
    text = inspect.cleandoc(model.__doc__ or "")
    return (
        [line for block in text.split("\n\n") for line in (*(["```text", block, "```"] if "    " in block else [block]), "")]
        if text
        else []
    )


def _value(value: object) -> str:
    if isinstance(value, BaseModel):
        return "…"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return "[]" if value == () else str(value)


def _type(annotation: Any) -> str:
    origin, given = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return _type(given[0])
    if origin is Literal:
        return " \\| ".join(f"`{one}`" for one in given)
    if origin in {types.UnionType, typing.Union}:
        return " \\| ".join(_type(one) for one in given if one is not type(None))
    if origin in {tuple, list, frozenset, set}:
        return f"list of {_type(given[0])}" if given else "list"
    if origin is dict:
        return f"map of {_type(given[1])}" if given else "map"
    return getattr(annotation, "__name__", str(annotation)).lstrip("_")


def commands_reference() -> str:
    """Returns the helps of all commands."""
    lines = ["# All options of all commands", "", "Made from the commands' own helps.", ""]
    for name, command in main.commands.items():
        context = click.Context(command, info_name=f"pipeproof {name}", max_content_width=110)
        lines += [f"## {name}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(lines)
