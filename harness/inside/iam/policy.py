"""Evaluates IAM policies, as AWS does within one account. Pure: the policies and the request come from elsewhere.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html and …/reference_policies_elements.html
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document with the name that a person knows it by."""

    name: str
    document: Mapping[str, Any]

    @property
    def statements(self) -> Sequence[Mapping[str, Any]]:
        """Returns the statements; a policy may have a single one without a list."""
        found = self.document.get("Statement", ())
        return [found] if isinstance(found, dict) else list(found)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a call: a role (its ARN and the session that has assumed it), or a service of AWS such as `s3.amazonaws.com`."""

    role_arn: str = ""
    session_arn: str = ""
    service: str = ""

    @property
    def name(self) -> str:
        return self.service or self.session_arn

    @property
    def account(self) -> str:
        return self.role_arn.split(":")[4] if self.role_arn else ""


@dataclass(frozen=True, slots=True)
class Request:
    """One permission that a call needs. A `resource` of None is not known: whatever a statement allows is allowed, and only a deny of
    everything denies it. `context` has the
    condition keys, whose names are compared without regard to case."""

    action: str
    resource: str | None
    principal: Principal
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """`why` says what denies the call: an explicit deny, or which policies do not allow it."""

    allowed: bool
    why: str = ""


def decide(identity: Sequence[Policy], resource: Policy | None, boundary: Policy | None, request: Request) -> Decision:
    """Returns whether the call is allowed: by the identity policies of a role or by the policy of the resource, within the permissions
    boundary, where there is one; and denied by none of them."""
    for policy in (*identity, *([boundary] if boundary else []), *([resource] if resource else [])):
        if _denies(policy, request, of_resource=policy is resource):
            return Decision(allowed=False, why=f"an explicit deny in {policy.name}")
    if boundary is not None and not _allows(boundary, request):
        return Decision(allowed=False, why=f"the permissions boundary {boundary.name} does not allow it")
    if any(_allows(policy, request) for policy in identity):
        return Decision(allowed=True)
    if resource is not None and _allows(resource, request, of_resource=True):
        return Decision(allowed=True)
    if request.principal.service:
        return Decision(allowed=False, why=f"{resource.name} does not allow it" if resource else "the resource has no policy")
    names = ", ".join(policy.name for policy in identity) or "it has none"
    return Decision(allowed=False, why=f"no policy of role {request.principal.role_arn.rpartition('/')[2]} allows it ({names})")


def _allows(policy: Policy, request: Request, *, of_resource: bool = False) -> bool:
    return any(s.get("Effect") == "Allow" and _matches(s, request, of_resource=of_resource) for s in policy.statements)


def _denies(policy: Policy, request: Request, *, of_resource: bool) -> bool:
    return any(s.get("Effect") == "Deny" and _matches(s, request, of_resource=of_resource) for s in policy.statements)


def _matches(statement: Mapping[str, Any], request: Request, *, of_resource: bool) -> bool:
    return (
        (not of_resource or _concerns(statement, request.principal))
        and _element(statement, "Action", lambda pattern: _like(pattern, request.action, case=False))
        and _on(statement, request)
        and _conditions(statement.get("Condition") or {}, request)
    )


def _element(statement: Mapping[str, Any], name: str, matches: Callable[[str], bool]) -> bool:
    """Returns whether Action or Resource matches, or NotAction or NotResource does not; a trust policy has no Resource."""
    if f"Not{name}" in statement:
        return not any(map(matches, _listed(statement[f"Not{name}"])))
    return name not in statement or any(map(matches, _listed(statement[name])))


def _on(statement: Mapping[str, Any], request: Request) -> bool:
    resource = request.resource
    if resource is None:
        return statement.get("Effect") == "Allow" or "*" in _listed(statement.get("Resource", ()))
    return _element(statement, "Resource", lambda pattern: _like(_with_variables(pattern, request), resource))


def _concerns(statement: Mapping[str, Any], principal: Principal) -> bool:
    # An allow for the account itself (its number, or its root) leaves it to identity policies, which are asked as well.
    as_account = statement.get("Effect") == "Deny"
    if "NotPrincipal" in statement:
        return not _is_one_of(statement["NotPrincipal"], principal, as_account=True)
    return "Principal" in statement and _is_one_of(statement["Principal"], principal, as_account=as_account)


def _is_one_of(named: Any, principal: Principal, *, as_account: bool) -> bool:
    if not isinstance(named, dict):
        return bool(named == "*")
    accounts = _listed(named.get("AWS", ()))
    if "*" in accounts:
        return True
    if principal.service:
        return principal.service in _listed(named.get("Service", ()))
    who = {principal.role_arn, principal.session_arn}
    if as_account:
        who |= {principal.account, f"arn:aws:iam::{principal.account}:root"}
    return not who.isdisjoint(accounts)


def _conditions(conditions: Mapping[str, Mapping[str, Any]], request: Request) -> bool:
    context = {key.lower(): value for key, value in request.context.items()}
    return all(
        _condition(operator, context.get(key.lower()), [_with_variables(v, request) for v in map(_text, _listed(expected))])
        for operator, keys in conditions.items()
        for key, expected in keys.items()
    )


def _condition(operator: str, found: str | Sequence[str] | None, expected: Sequence[str]) -> bool:
    quantifier, separator, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name == "Null":
        return (found is None) == (_boolean(expected[0]))
    if found is None:
        # A set without a member: every one of them matches, and no one does. A negated operator matches what is not there.
        return if_exists or quantifier == "ForAllValues" or (not separator and name in _NEGATED)
    values = [found] if isinstance(found, str) else list(found)
    test = _tested(name, expected)
    return all(map(test, values)) if quantifier == "ForAllValues" else any(map(test, values))


def _tested(name: str, expected: Sequence[str]) -> Callable[[str], bool]:
    """Returns a test of one value; an operator that is not known matches nothing."""
    if name in _NEGATED:
        positive = _OPERATORS[_NEGATED[name]]
        return lambda value: not any(_holds(positive, value, wanted) for wanted in expected)
    operator = _OPERATORS.get(name, lambda _value, _wanted: False)
    return lambda value: any(_holds(operator, value, wanted) for wanted in expected)


def _holds(operator: Callable[[str, str], bool], value: str, wanted: str) -> bool:
    try:
        return operator(value, wanted)
    except ValueError:
        # No number, no date, no address.
        return False


def _boolean(text: str) -> bool:
    return text.lower() == "true"


def _moment(text: str) -> datetime:
    if text.isdecimal():
        return datetime.fromtimestamp(int(text), tz=UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _arn_like(value: str, wanted: str) -> bool:
    """Compares ARNs part by part: a wildcard does not reach beyond a colon of the first five parts."""
    found, patterns = value.split(":", 5), wanted.split(":", 5)
    return len(found) == len(patterns) and all(map(_like, patterns, found))


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": lambda value, wanted: _like(wanted, value),
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "BinaryEquals": lambda value, wanted: value == wanted,
    "Bool": lambda value, wanted: _boolean(value) == _boolean(wanted),
    "NumericEquals": lambda value, wanted: float(value) == float(wanted),
    "NumericLessThan": lambda value, wanted: float(value) < float(wanted),
    "NumericLessThanEquals": lambda value, wanted: float(value) <= float(wanted),
    "NumericGreaterThan": lambda value, wanted: float(value) > float(wanted),
    "NumericGreaterThanEquals": lambda value, wanted: float(value) >= float(wanted),
    "DateEquals": lambda value, wanted: _moment(value) == _moment(wanted),
    "DateLessThan": lambda value, wanted: _moment(value) < _moment(wanted),
    "DateLessThanEquals": lambda value, wanted: _moment(value) <= _moment(wanted),
    "DateGreaterThan": lambda value, wanted: _moment(value) > _moment(wanted),
    "DateGreaterThanEquals": lambda value, wanted: _moment(value) >= _moment(wanted),
    "IpAddress": lambda value, wanted: ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False),
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}

_VARIABLE = re.compile(r"\$\{([^},]+)(?:,\s*'([^']*)')?\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}


def _with_variables(text: str, request: Request) -> str:
    """Returns the text with the policy variables replaced; one that has no value stays as it is, and so matches nothing."""
    if "${" not in text:
        return text
    context = {key.lower(): value for key, value in request.context.items()}

    def value(match: re.Match[str]) -> str:
        if match[1] in _LITERALS:
            return f"[{_LITERALS[match[1]]}]"
        found = context.get(match[1].lower(), match[2])
        return found if isinstance(found, str) else match[0]

    return _VARIABLE.sub(value, text)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(value: Any) -> Sequence[str]:
    return [_text(value)] if isinstance(value, str | bool | int | float) else list(value)


def _like(pattern: str, text: str, *, case: bool = True) -> bool:
    return _compiled(pattern, case).fullmatch(text) is not None


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str, case: bool) -> re.Pattern[str]:  # noqa: FBT001 - part of the cache's key
    """Returns a pattern with `*` and `?`; in brackets, as policy variables write them, they are themselves."""
    parts = re.split(r"(\[[*?$]\]|\*|\?)", pattern)
    wild = {"*": ".*", "?": "."}
    made = "".join(wild.get(part) or re.escape(part[1] if re.fullmatch(r"\[[*?$]\]", part) else part) for part in parts)
    return re.compile(made, re.DOTALL | (0 if case else re.IGNORECASE))
