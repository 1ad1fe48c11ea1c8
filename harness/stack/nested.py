"""Templates that a template nests from local files: AWS::CloudFormation::Stack and AWS::Serverless::Application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.stack.template import is_local, read_template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.stack.template import Template

PROPERTIES = {"AWS::Serverless::Application": "Location", "AWS::CloudFormation::Stack": "TemplateURL"}
_DEEPEST = 10


def with_nested(template: Template, depth: int = 0) -> Iterator[Template]:
    """Yields a template and the local templates that it nests, at all depths. Raises UsageError where one cannot be read, or they nest without end."""
    yield template
    for logical_id, resource in template.resources.items():
        location = (resource.get("Properties") or {}).get(PROPERTIES.get(resource["Type"], ""))
        if is_local(location):
            yield from with_nested(nested(template, logical_id, location, depth), depth + 1)


def nested(template: Template, logical_id: str, location: str, depth: int) -> Template:
    """Returns the template that a resource nests. Raises UsageError, with the line of the resource, where it cannot be read."""
    line = f"{template.path}:{template.line('Resources', logical_id, 'Properties')}: {logical_id}"
    if depth >= _DEEPEST:
        raise UsageError(f"{line}: stacks are nested more than {_DEEPEST} deep")
    try:
        return read_template(template.path.parent / location)
    except UsageError as error:
        raise UsageError(f"{line}: {error}") from error
