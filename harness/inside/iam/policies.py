"""The policies that LocalStack keeps: of roles, of resources, and which role an access key stands for."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.s3.models import s3_stores
from localstack.services.sqs.models import sqs_stores
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from harness.inside.gauges.gauge import loaded
from harness.inside.iam.policy import Policy, Principal

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARTITION = "aws"
_S3_REGION = "us-east-1"
_sessions: dict[str, Principal] = {}


def session_of(account: str, access_key_id: str) -> Principal | None:
    """Returns the role that has been assumed with an access key; None for a key of another kind."""
    if access_key_id in _sessions:
        return _sessions[access_key_id]
    if not access_key_id.startswith(("ASIA", "LSIA")):
        return None
    found = sts_backends[account][_PARTITION].get_assumed_role_from_access_key(access_key_id)
    if found is None:
        return None
    principal = _sessions[access_key_id] = Principal(role_arn=found.role_arn, session_arn=found.arn)
    return principal


def function(account: str, region: str, name: str) -> tuple[str, str] | None:
    """Returns the name of a function and the ARN of its role, from any form of its name; None where there is no such function."""
    plain = (name.rpartition("function:")[2] if "function:" in name else name).partition(":")[0]
    found = lambda_stores[account][region].functions.get(plain)
    return None if found is None else (plain, found.latest().config.role)


def is_function(account: str, name: str) -> bool:
    """Returns whether an account has a function of this name, in any region."""
    return any(owner == account and name in store.functions for owner, _, store in lambda_stores.iter_stores())


def of_role(account: str, role_arn: str) -> tuple[list[Policy], Policy | None] | None:
    """Returns the identity policies of a role, inline and managed, and its permissions boundary; None where there is no such role."""
    backend = iam_backends[account][_PARTITION]
    role = next((role for role in list(backend.roles.values()) if role.arn == role_arn), None)
    if role is None:
        return None
    inline = [Policy(name, _parsed(document)) for name, document in role.policies.items()]
    managed = [Policy(policy.name, _parsed(_current(policy))) for policy in role.managed_policies.values()]
    boundary = backend.managed_policies.get(role.permissions_boundary_arn) if role.permissions_boundary_arn else None
    return [*inline, *managed], Policy(boundary.name, _parsed(_current(boundary))) if boundary else None


def _current(policy: Any) -> Any:
    return next((version.document for version in policy.versions if version.is_default), "{}")


def of_resource(arn: str) -> Policy | None:
    """Returns the policy of a bucket (also of an object in it), a queue, a topic or a function; None where it has none."""
    if not arn.startswith("arn:"):
        return None
    _, _, service, region, account, resource = arn.split(":", 5)
    try:
        document = next(_documents(service, region, account, resource, arn), None)
    except (KeyError, AttributeError):
        # The resource does not exist: the service says so itself.
        return None
    return (
        Policy(f"the policy of {resource.partition('/')[0] if service == 's3' else resource}", _parsed(document))
        if document
        else None
    )


def _documents(service: str, region: str, account: str, resource: str, arn: str) -> Iterator[Any]:
    match service:
        case "s3":
            bucket = resource.partition("/")[0]
            owner = s3_stores["000000000000"][_S3_REGION].global_bucket_map[bucket]
            yield s3_stores[owner][_S3_REGION].buckets[bucket].policy
        case "sqs":
            yield sqs_stores[account][region].queues[resource].attributes.get("Policy")
        case "sns":
            yield _of_topic(account, region, arn)
        case "lambda":
            name, _, qualifier = resource.removeprefix("function:").partition(":")
            found = lambda_stores[account][region].functions[name].permissions.get(qualifier or "$LATEST")
            yield {"Statement": list(found.policy.Statement)} if found else None
        case _:
            return


def _of_topic(account: str, region: str, arn: str) -> Any:
    """Returns a topic's policy: LocalStack 4.14 keeps topics itself, and leaves them to moto before that."""
    own = getattr(loaded("localstack.services.sns.models"), "sns_stores", None)
    topics = getattr(own[account][region], "topics", {}) if own else {}
    if arn in topics and isinstance(topics[arn], dict):
        return topics[arn]["attributes"].get("Policy")
    moto = loaded("moto.sns.models")
    return moto.sns_backends[account][region].topics[arn].policy if moto else None


def _parsed(document: Any) -> Any:
    return _of_text(document) if isinstance(document, str) else document


@functools.lru_cache(maxsize=512)
def _of_text(document: str) -> Any:
    try:
        return json.loads(document)
    except ValueError:
        return {}
