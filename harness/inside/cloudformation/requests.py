"""What CloudFormation refuses before it deploys anything: parameters beyond their bounds, and a template that needs more to be acknowledged.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html and
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localstack.aws.api.cloudformation import InsufficientCapabilitiesException
from localstack.services.cloudformation.engine.v2.change_set_model import ChangeType
from localstack.services.cloudformation.engine.validations import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NAMES = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::Policy": None,
    "AWS::IAM::AccessKey": None,
    "AWS::IAM::UserToGroupAddition": None,
}


def verify(change_set: Any) -> None:
    """Raises ValidationError or InsufficientCapabilitiesException for a change set, LocalStack's, that CloudFormation does not take."""
    stack, template = change_set.stack, change_set.template or {}
    # The parameters that a stack is created with; those of an update are not kept.
    given = {} if stack.template else {one["ParameterKey"] for one in stack.parameters or ()}
    _check_parameters(template.get("Parameters") or {}, given, change_set.resolved_parameters or {})
    resources = change_set.update_model.node_template.resources.resources
    kinds = {resource.type_.value for resource in resources if resource.change_type != ChangeType.REMOVED}
    _check_capabilities(template, kinds, stack.capabilities or [])


def _check_parameters(declared: Mapping[str, Any], given: Iterable[str], resolved: Mapping[str, Any]) -> None:
    unknown = sorted(set(given) - declared.keys())
    if unknown:
        raise ValidationError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    for name, parameter in resolved.items():
        value = next(
            (parameter[key] for key in ("resolved_value", "given_value", "default_value") if parameter.get(key) is not None), ""
        )
        for why in _breaches(name, declared.get(name) or {}, value):
            described = declared[name].get("ConstraintDescription")
            raise ValidationError(f"Parameter {name} failed to satisfy constraint: {described}" if described else why)


def _check_capabilities(template: Mapping[str, Any], kinds: set[str], acknowledged: list[str]) -> None:
    """`kinds` are the types of all resources, also of those that a transform has made."""
    resources = [one for one in (template.get("Resources") or {}).values() if isinstance(one, dict) and one.get("Type") in _NAMES]
    named = any(_NAMES[one["Type"]] in (one.get("Properties") or {}) for one in resources)
    if kinds.isdisjoint(_NAMES) or "CAPABILITY_NAMED_IAM" in acknowledged or (not named and "CAPABILITY_IAM" in acknowledged):
        return
    raise InsufficientCapabilitiesException(f"Requires capabilities : [{'CAPABILITY_NAMED_IAM' if named else 'CAPABILITY_IAM'}]")


def _breaches(name: str, declared: Mapping[str, Any], value: Any) -> Iterator[str]:
    kind = str(declared.get("Type", "String"))
    is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
    texts = [text.strip() for text in str(value).split(",")] if is_list else [str(value)]
    allowed = [_text(one) for one in declared.get("AllowedValues") or ()]
    if allowed and any(text not in allowed for text in texts):
        yield f"Parameter '{name}' must be one of AllowedValues"
    pattern = declared.get("AllowedPattern")
    if pattern and any(re.fullmatch(pattern, text) is None for text in texts):
        yield f"Parameter '{name}' must match pattern {pattern}"
    if "Number" in kind:
        yield from _beyond(name, declared, texts)
    elif not is_list:
        if len(texts[0]) < int(declared.get("MinLength", 0)):
            yield f"Parameter '{name}' must contain at least {declared['MinLength']} characters"
        if "MaxLength" in declared and len(texts[0]) > int(declared["MaxLength"]):
            yield f"Parameter '{name}' must contain at most {declared['MaxLength']} characters"


def _beyond(name: str, declared: Mapping[str, Any], texts: list[str]) -> Iterator[str]:
    for text in texts:
        try:
            number = float(text)
        except ValueError:
            yield f"Parameter '{name}' must be a number"
            continue
        if "MinValue" in declared and number < float(declared["MinValue"]):
            yield f"Parameter '{name}' must be a number not less than {declared['MinValue']}"
        if "MaxValue" in declared and number > float(declared["MaxValue"]):
            yield f"Parameter '{name}' must be a number not greater than {declared['MaxValue']}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
