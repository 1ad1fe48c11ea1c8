"""What CloudFormation refuses before it deploys anything: parameters beyond their bounds, and a template that needs more to be acknowledged.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html and
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localstack.aws.api.cloudformation import InsufficientCapabilitiesException
from localstack.services.cloudformation.engine.validations import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


def check_parameters(declared: Mapping[str, Any], given: Mapping[str, Any], resolved: Mapping[str, Any]) -> None:
    """Raises ValidationError for a parameter that the template has not, or whose value is beyond its bounds."""
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise ValidationError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    for name, parameter in resolved.items():
        value = next(
            (parameter[key] for key in ("resolved_value", "given_value", "default_value") if parameter.get(key) is not None), ""
        )
        for why in _breaches(name, declared[name], value):
            described = declared[name].get("ConstraintDescription")
            raise ValidationError(f"Parameter {name} failed to satisfy constraint: {described}" if described else why)


def check_capabilities(template: Mapping[str, Any], acknowledged: list[str]) -> None:
    """Raises InsufficientCapabilitiesException for a template with IAM resources that the request does not acknowledge."""
    resources = [one for one in (template.get("Resources") or {}).values() if isinstance(one, dict) and one.get("Type") in _NAMES]
    named = any(_NAMES[one["Type"]] in (one.get("Properties") or {}) for one in resources)
    if not resources or "CAPABILITY_NAMED_IAM" in acknowledged or (not named and "CAPABILITY_IAM" in acknowledged):
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
