"""Whether a scenario will run, told without an emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.documents import line_of, read_yaml
from harness.emulator.clients import DEFAULT_ACCOUNT
from harness.emulator.installed import abilities, attributes
from harness.errors import UsageError
from harness.faults.plan import RecordFault
from harness.run.recipe import make_recipe, open_load
from harness.scenario.loading import load_scenario
from harness.scenario.references import attributes_named, not_known
from harness.stack.deploy import Wish, check_parameters, refuse_unsupported
from harness.stack.functions import functions
from harness.stack.nested import with_nested
from harness.stack.package import NoStorage, Packager
from harness.stack.runtimes import replacements
from harness.stack.template import read_template
from harness.stack.unsupported import unsupported
from harness.stack.values import parameter_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.parts.ports import Load
    from harness.scenario.references import Place
    from harness.scenario.scenario import Scenario
    from harness.stack.template import Template

_OF_SAM = {
    "AWS::Serverless::Function": "AWS::Lambda::Function",
    "AWS::Serverless::SimpleTable": "AWS::DynamoDB::Table",
    "AWS::Serverless::StateMachine": "AWS::StepFunctions::StateMachine",
    "AWS::Serverless::Api": "AWS::ApiGateway::RestApi",
}


def check(name: str, path: Path, *, ignore: bool) -> Iterator[str]:
    """Yields what a scenario is made of, as far as it is right. Raises UsageError for what is not, with file and line."""
    scenario = load_scenario(path)
    able = abilities()
    template = read_template(scenario.stack.template)
    parameters = {key: value.replace("${emulator.python_runtime}", able.python) for key, value in scenario.stack.parameters.items()}
    check_parameters(template.document, template.path, parameters)
    ignored = refuse_unsupported(template, parameters, DEFAULT_ACCOUNT, Wish(abilities=able, ignore=ignore))
    yield from (f"  without {one}" for one in ignored)
    load = open_load(make_recipe(name, scenario))
    if wrong := [*_attributes(scenario, template), *_beyond(scenario, load)]:
        node, _ = read_yaml(path, "scenario")
        raise UsageError(
            "\n".join(f"{path}:{line_of(node, list(place))}: {'.'.join(map(str, place))}: {told}" for place, told in wrong)
        )
    yield f"  the load has {'records without a known number' if load.total is None else f'{load.total:,} records'}"
    if getattr(scenario.source, "guessed", False):
        yield "  its fields are guesses (source.guessed): draft it with --sample FILE, or write them as they are, else a failure may be the load's"
    values = parameter_values(template.document, parameters, DEFAULT_ACCOUNT)
    yield f"  the template has {len(template.resources)} resources, {len(list(functions(template, values)))} of them functions"
    for runtime, on in replacements(template, values, able).items():
        yield f"  {runtime} runs on {on}"
    Packager(NoStorage(), able).package(template, parameters)
    yield "  the packages of the functions are built"


def _attributes(scenario: Scenario, template: Template) -> Iterator[tuple[Place, str]]:
    """Yields each reference to an attribute that resources of its type do not have."""
    for place, name, attribute in attributes_named(scenario.document()):
        kind = template.resources[name]["Type"] if name in template.resources else ""
        known = attributes(_OF_SAM.get(kind, kind))
        is_output = kind == "AWS::CloudFormation::Stack" and attribute.startswith("Outputs.")
        if known and attribute not in known and not is_output:
            yield place, not_known(f"resources.{name}.{attribute}", [f"resources.{name}.{one}" for one in sorted(known)])


def _beyond(scenario: Scenario, load: Load) -> Iterator[tuple[Place, str]]:
    """Yields each record fault whose records begin after the end of the load."""
    total = getattr(load, "load", load).total
    for number, fault in enumerate(scenario.faults):
        if total is not None and isinstance(fault, RecordFault) and fault.window.first() >= total:
            yield ("faults", number, "records"), f"{fault.records} meets no record of the load: it has {total:,}, numbered from 0"


def problems(path: Path) -> list[str]:
    """Returns what an emulator of this installation cannot make of a template and those that it nests. Raises UsageError where one cannot be read."""
    able = abilities()
    return [
        str(one)
        for template in with_nested(read_template(path))
        for one in unsupported(template, parameter_values(template.document, {}, DEFAULT_ACCOUNT), able, strict=False)
    ]
