"""The policies of resources that LocalStack keeps, its functions, and which role an access key stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.s3.models import s3_stores
from localstack.services.sqs.models import sqs_stores

from harness.inside import forgotten
from harness.inside.iam import roles
from harness.inside.iam.policy import Policy, Principal
from harness.inside.kept import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterator

_S3_REGION = "us-east-1"
_sessions: dict[str, Principal] = {}


def session_of(account: str, access_key_id: str) -> Principal | None:
    """Returns the role that has been assumed with an access key; None for a key of another kind."""
    if (known := _sessions.get(access_key_id)) is not None:
        return known
    if not access_key_id.startswith(("ASIA", "LSIA")):
        return None
    principal = roles.session(account, access_key_id)
    if principal is not None:
        _sessions[access_key_id] = principal
    return principal


@forgotten.with_account
def forget(account: str) -> None:
    for key, principal in list(_sessions.items()):
        if account in principal.role_arn.split(":"):
            _sessions.pop(key, None)


def function(account: str, region: str, name: str) -> tuple[str, str] | None:
    """Returns the name of a function and the ARN of its role, from any form of its name; None where there is no such function."""
    plain = (name.rpartition("function:")[2] if "function:" in name else name).partition(":")[0]
    found = lambda_stores[account][region].functions.get(plain)
    return None if found is None else (plain, found.latest().config.role)


def is_function(account: str, name: str) -> bool:
    """Returns whether an account has a function of this name, in any region."""
    return any(owner == account and name in store.functions for owner, _, store in lambda_stores.iter_stores())


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
        Policy(f"the policy of {resource.partition('/')[0] if service == 's3' else resource}", roles.parsed(document))
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
    """Returns a topic's policy: LocalStack keeps topics itself since 4.14, and leaves them to moto before that."""
    if (own := TOPICS.own()) is not None:
        return own[account][region].topics[arn]["attributes"].get("Policy")
    moto = TOPICS.look()
    return moto[account][region].topics[arn].policy if moto else None
