"""Roles and sessions. LocalStack keeps them itself since 2026.3; before that, moto keeps them."""

from __future__ import annotations

import functools
import importlib.resources
import json
from typing import Any
from urllib.parse import unquote

from harness.inside.iam.policy import Policy, Principal
from harness.inside.kept import ROLES, SESSIONS

_PARTITION = "aws"
_REGION = "us-east-1"  # Roles and sessions are the same in all regions.


def session(account: str, access_key_id: str) -> Principal | None:
    """Returns the role and the session of an access key. Returns None where AssumeRole did not make the key."""
    if (own := SESSIONS.own()) is not None:
        found = own[account][_REGION].credentials.get(access_key_id)
        if found is None or ":assumed-role/" not in found.arn:
            return None
        owner, name = found.arn.split(":")[4], found.arn.split("/")[1]
        role = ROLES.own()[owner][_REGION].ROLES.get(name)
        return Principal(role_arn=role.role["Arn"] if role else f"arn:aws:iam::{owner}:role/{name}", session_arn=found.arn)
    moto = SESSIONS.look()
    found = moto[account][_PARTITION].get_assumed_role_from_access_key(access_key_id) if moto else None
    return Principal(role_arn=found.role_arn, session_arn=found.arn) if found else None


def policies_of(account: str, role_arn: str) -> tuple[list[Policy], Policy | None] | None:
    """Returns the identity policies of a role, inline and managed, and its permissions boundary; None where there is no such role."""
    if (own := ROLES.own()) is not None:
        return _of_store(own[account][_REGION], role_arn)
    moto = ROLES.look()
    return _of_moto(moto[account][_PARTITION], role_arn) if moto else None


def _of_store(store: Any, role_arn: str) -> tuple[list[Policy], Policy | None] | None:
    role = next((role for role in list(store.ROLES.values()) if role.role["Arn"] == role_arn), None)
    if role is None:
        return None
    inline = [Policy(name, parsed(unquote(document))) for name, document in role.inline_policies.items()]
    managed = [_managed(store, arn) for arn in role.attached_policy_arns]
    boundary = (role.role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
    return [*inline, *managed], _managed(store, boundary) if boundary else None


def _managed(store: Any, arn: str) -> Policy:
    name = arn.rpartition("/")[2]
    if (found := store.MANAGED_POLICIES.get(arn)) is None:
        return Policy(name, _of_aws().get(name, {}).get("Document", {}))
    return Policy(name, parsed(unquote(found.versions[found.policy["DefaultVersionId"]]["Document"])))


@functools.cache
def _of_aws() -> dict[str, Any]:
    """Returns the managed policies of AWS by their names."""
    file = importlib.resources.files("localstack.services.iam") / "resources" / "aws_managed_policies.json"
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _of_moto(backend: Any, role_arn: str) -> tuple[list[Policy], Policy | None] | None:
    role = next((role for role in list(backend.roles.values()) if role.arn == role_arn), None)
    if role is None:
        return None
    inline = [Policy(name, parsed(document)) for name, document in role.policies.items()]
    managed = [Policy(policy.name, parsed(_current(policy))) for policy in role.managed_policies.values()]
    boundary = backend.managed_policies.get(role.permissions_boundary_arn) if role.permissions_boundary_arn else None
    return [*inline, *managed], Policy(boundary.name, parsed(_current(boundary))) if boundary else None


def _current(policy: Any) -> Any:
    return next((version.document for version in policy.versions if version.is_default), "{}")


def parsed(document: Any) -> Any:
    """Returns a policy document as JSON values. One that cannot be read allows nothing."""
    return _of_text(document) if isinstance(document, str) else document


@functools.lru_cache(maxsize=512)
def _of_text(document: str) -> Any:
    try:
        return json.loads(document)
    except ValueError:
        return {}
