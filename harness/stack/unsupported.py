"""What a template has that the emulator cannot make. Nothing of it is skipped: it is refused, or ignored by name."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.stack import runtimes
from harness.stack.layers import is_public, requirement_of
from harness.stack.values import holds, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.emulator.emulator import Abilities
    from harness.stack.template import Template

_SAM = {
    f"AWS::Serverless::{name}"
    for name in ("Function", "Api", "HttpApi", "SimpleTable", "LayerVersion", "Application", "StateMachine", "Connector")
}
# Of SAM's events, those whose sources the emulator does not have.
_EVENTS = {
    "AlexaSkill": "Alexa", "Cognito": "Cognito", "DocumentDB": "DocumentDB", "IoTRule": "IoT", "MQ": "Amazon MQ", "MSK": "Amazon MSK",
    "SelfManagedKafka": "Kafka",
}  # fmt: skip

_DELIVERED = {"S3DestinationConfiguration", "ExtendedS3DestinationConfiguration"}
# The emulator ignores these properties, and a run without their effect would miss records.
_PROPERTIES = {
    "AWS::DynamoDB::Table": {"ImportSourceSpecification": "nothing is imported into the table"},
    "AWS::Lambda::Function": {"FileSystemConfigs": "there is no Amazon EFS"},
    "AWS::S3::Bucket": {
        "InventoryConfigurations": "no inventory is written",
        "ReplicationConfiguration": "objects are not replicated",
    },
    "AWS::Serverless::Function": {"FileSystemConfigs": "there is no Amazon EFS"},
}


@dataclass(frozen=True, slots=True)
class Unsupported:
    """What the emulator cannot make. Where it is not `ignorable`, a run without it would say nothing about the pipeline."""

    path: str
    line: int
    name: str
    reason: str
    ignorable: bool = True

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.name}: {self.reason}"


def unsupported(template: Template, values: Mapping[str, Any], abilities: Abilities, *, strict: bool) -> list[Unsupported]:
    """Returns what the emulator cannot make of a template. `values` are those of its parameters. `strict` is that of `runtimes.refused`.

    Resources with a condition that does not hold are left out."""
    made = {
        name: resource
        for name, resource in template.resources.items()
        if "Condition" not in resource or holds(template.document, resource["Condition"], values) is not False
    }
    path = str(template.path)
    found = [Unsupported(path, line, name, reason) for line, name, reason in _resources(template, made, abilities)]
    found += [Unsupported(path, line, name, reason, ignorable=False) for line, name, reason in _destinations(template, made)]
    for function, reason in runtimes.refused(template, values, abilities, strict=strict):
        if function.logical_id in made:
            found.append(Unsupported(path, function.line, function.logical_id, reason, ignorable=False))
    places = [("Globals", "Function"), *(("Resources", name, "Properties") for name in made)]
    for place in places:
        layers = functools.reduce(lambda inner, key: inner.get(key) or {}, place, template.document).get("Layers")
        for layer in layers if isinstance(layers, list) else ():
            if is_public(layer, values) and requirement_of(layer, values) is None:
                reason = f"layer {text_of(layer, values)}: a public layer, of which PyPI has no equal"
                found.append(Unsupported(path, template.line(*place, "Layers"), place[1], reason))
    return sorted(found, key=lambda one: one.line)


def _resources(template: Template, made: Mapping[str, Any], abilities: Abilities) -> Iterator[tuple[int, str, str]]:
    for name, resource in made.items():
        kind, properties = resource["Type"], resource.get("Properties") or {}
        if not is_supported(kind, abilities):
            yield template.line("Resources", name, "Type"), name, f"{kind}: the emulator does not have this type of resource"
        if kind == "AWS::Serverless::Application" and not isinstance(properties.get("Location"), str):
            line = template.line("Resources", name, "Properties", "Location")
            yield line, name, "an application of the Serverless Application Repository, which is on AWS only"
        for ignored, reason in _PROPERTIES.get(kind, {}).items():
            if properties.get(ignored):
                yield template.line("Resources", name, "Properties", ignored), f"{name}.{ignored}", reason
        events = properties.get("Events")
        for event, source in events.items() if kind.startswith("AWS::Serverless::") and isinstance(events, dict) else ():
            service = _EVENTS.get(str(source.get("Type"))) if isinstance(source, dict) else None
            if service is not None:
                line = template.line("Resources", name, "Properties", "Events", event)
                yield line, f"{name}.{event}", f"event of {service}: the emulator does not have this service"


def _destinations(template: Template, made: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
    """Yields the delivery streams with a destination other than S3, because the emulator has no other."""
    for name, resource in made.items():
        for key in resource.get("Properties") or {} if resource["Type"] == "AWS::KinesisFirehose::DeliveryStream" else ():
            if key.endswith("DestinationConfiguration") and key not in _DELIVERED:
                yield (
                    template.line("Resources", name, "Properties", key),
                    f"{name}.{key}",
                    "the emulator delivers to Amazon S3 only",
                )


def is_supported(resource_type: str, abilities: Abilities) -> bool:
    """Returns whether a stack may have such a resource. An emulator that does not report its types is believed to have all."""
    return (
        not abilities.resource_types
        or resource_type in abilities.resource_types
        or resource_type in _SAM
        or resource_type.startswith("Custom::")
    )
