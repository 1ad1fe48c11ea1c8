"""Which calls AWS would deny: noted, and denied where the account is to enforce its policies.

/_pipeproof/permissions?account=…: PUT with &mode=off, report or enforce begins anew; GET answers {denied: [{who, action, resource, why, calls}]}.

Checked are calls of roles (functions, mappings, state machines, targets with a role) and what S3, SNS, EventBridge and API Gateway send to
functions, queues and topics. What the harness and CloudFormation do is not. docs/emulators.md says what else is left out.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localstack.aws.api import CommonServiceException
from localstack.aws.protocol.serializer import create_serializer
from localstack.http import Response, route
from localstack.utils.aws.request_context import extract_access_key_id_from_auth_header

from harness.inside import kept
from harness.inside.call import of as call_of
from harness.inside.iam import policies, roles
from harness.inside.iam.actions import Need, needs
from harness.inside.iam.policy import Decision, Policy, Principal, Request, decide
from harness.inside.understood import understood

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack.aws.api import RequestContext
    from localstack.aws.chain import HandlerChain
    from localstack.http import Request as HttpRequest

PATH = "/_pipeproof/permissions"
# What these send to a function, a queue or a topic, its resource policy must allow.
_SENDERS = frozenset({"s3", "sns", "events", "apigateway", "cloudwatch", "logs"})
_RECEIVED = frozenset({"lambda:InvokeFunction", "sqs:SendMessage", "sns:Publish"})
# Anybody may ask who they are.
_ALWAYS = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})

# The services' own codes: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_CODES = {
    "s3": ("AccessDenied", 403),
    "sqs": ("AccessDenied", 403),
    "ses": ("AccessDenied", 403),
    "sns": ("AuthorizationError", 403),
}
_JSON_CODE = ("AccessDeniedException", 400)


@dataclass(slots=True)
class _Account:
    """What is to be done in an account, and what was denied there: (who, action, resource) to the reason and a count."""

    enforce: bool
    denied: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, who: str, need: Need, why: str) -> None:
        # A key per object would be a line per object: the bucket says enough.
        resource = next(iter(need.resources), "?")
        resource = resource.partition("/")[0] + "/*" if resource.startswith("arn:aws:s3:::") and "/" in resource else resource
        with self.lock:
            _, calls = self.denied.get((who, need.action, resource), (why, 0))
            self.denied[who, need.action, resource] = (why, calls + 1)


_accounts: dict[str, _Account] = {}


def on_request(_chain: HandlerChain, context: RequestContext, _response: Response) -> None:
    """Handles a parsed request: notes what AWS would deny, and denies it with the service's own error where that is asked for."""
    if not _accounts or context.operation is None:
        return
    account = _accounts.get(_account_of(context))
    if account is None:
        return
    if context.operation.name == "CreateEventSourceMapping":
        _check_mapping(account, context)
    principal = _principal(context)
    if principal is None:
        return
    for need in _needs(context):
        decision = _decided(context, principal, need)
        if not decision.allowed:
            account.note(_who(principal), need, decision.why)
            if account.enforce:
                call_of(context).refused = True
                raise _error(context, principal, need, decision.why)


def on_response(_chain: HandlerChain, context: RequestContext, response: Response) -> None:
    """Handles the answer that an object is missing: who may not list the bucket is told 403 instead, which says nothing of the object.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""
    account = _accounts.get(context.account_id)
    if account is None or response.status_code != 404 or context.operation is None or context.service.service_name != "s3":
        return
    if context.operation.name not in {"GetObject", "HeadObject", "CopyObject"} or (principal := _principal(context)) is None:
        return
    object_arn = next(need.resources[0] for need in _needs(context) if need.action.startswith("s3:GetObject"))
    need = Need("s3:ListBucket", (object_arn.partition("/")[0],))
    decision = _decided(context, principal, need)
    if decision.allowed:
        return
    account.note(_who(principal), need, f"{decision.why}; a missing object is answered with 403")
    if account.enforce:
        serializer = create_serializer(context.service, context.protocol)
        error = _error(context, principal, need, decision.why)
        response.update_from(
            serializer.serialize_error_to_response(error, context.operation, context.request.headers, context.request_id)
        )


def _account_of(context: RequestContext) -> str:
    """Returns the account that owns the resource of a call. When LocalStack delivers something, it uses its own account id instead."""
    service = (context.internal_request_params or {}).get("service_principal") or ""
    if service not in _SENDERS:
        return str(context.account_id)
    accounts = (arn.split(":")[4] for need in _needs(context) for arn in need.resources if arn.count(":") >= 5)
    return next(accounts, "") or str(context.account_id)


# What a mapping does in the name of its function's role: https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
_READS = {
    "kinesis": ("kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"),
    "sqs": ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
    "dynamodb": ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
}


def _check_mapping(account: _Account, context: RequestContext) -> None:
    """Handles a new event source mapping: AWS refuses one whose function may not read the source."""
    asked: Any = context.service_request or {}
    source = str(asked.get("EventSourceArn") or "")
    function = policies.function(context.account_id, context.region, str(asked.get("FunctionName") or ""))
    if function is None or source.count(":") < 5:
        return
    name, role_arn = function
    principal = Principal(role_arn, f"arn:aws:sts::{context.account_id}:assumed-role/{role_arn.rpartition('/')[2]}/{name}")
    for action in _READS.get(source.split(":")[2], ()):
        need = Need(action, (source,))
        decision = _decided(context, principal, need)
        if decision.allowed:
            continue
        account.note(_who(principal), need, decision.why)
        if account.enforce:
            message = f"Cannot access {source}. Please ensure the role can perform the {action} action on it: {decision.why}"
            raise CommonServiceException("InvalidParameterValueException", message, status_code=400, sender_fault=True)


def _principal(context: RequestContext) -> Principal | None:
    """Returns who needs a permission: a role, or a service; None for the harness, CloudFormation and whoever else is let through."""
    key = extract_access_key_id_from_auth_header(context.request.headers) or ""
    session = policies.session_of(context.account_id, key)
    if session is not None:
        return session
    service = (context.internal_request_params or {}).get("service_principal") or ""
    return Principal(service=f"{service}.amazonaws.com") if service in _SENDERS else None


def _needs(context: RequestContext) -> Iterator[Need]:
    found = needs(
        context.service.service_name, context.operation.name, context.service_request or {}, context.region, context.account_id
    )
    yield from (need for need in found if need.action not in _ALWAYS)


def _decided(context: RequestContext, principal: Principal, need: Need) -> Decision:
    if principal.service and need.action not in _RECEIVED:
        return Decision(allowed=True)
    identity: list[Policy] = []
    boundary = None
    if not principal.service:
        of_role = roles.policies_of(principal.account, principal.role_arn)
        if of_role is None:
            return Decision(allowed=False, why=f"there is no role {principal.role_arn}")
        identity, boundary = of_role
    conditions = {**_context(context, principal), **need.context}
    decisions = [
        decide(identity, policies.of_resource(arn) if arn else None, boundary, Request(need.action, arn, principal, conditions))
        for arn in need.resources or (None,)
    ]
    return next((decision for decision in decisions if decision.allowed), decisions[0])


def _context(context: RequestContext, principal: Principal) -> dict[str, str]:
    """Returns the global condition keys that are known here."""
    source = (context.internal_request_params or {}).get("source_arn")
    known = {
        "aws:RequestedRegion": context.region,
        "aws:ResourceAccount": context.account_id,
        # As far as a policy is concerned: AWS's own clients use TLS.
        "aws:SecureTransport": "true",
    }
    if principal.service:
        known |= {"aws:PrincipalServiceName": principal.service, "aws:PrincipalIsAWSService": "true"}
        if source:
            known |= {"aws:SourceArn": source, "aws:SourceAccount": _owner(source) or context.account_id}
            # The older name, which topics' default policies use.
            known["aws:SourceOwner"] = known["aws:SourceAccount"]
    else:
        known |= {
            "aws:PrincipalArn": principal.role_arn,
            "aws:PrincipalAccount": principal.account,
            "aws:PrincipalType": "AssumedRole",
            "aws:PrincipalIsAWSService": "false",
            "aws:SourceOwner": principal.account,
        }
    return known


def _owner(arn: str) -> str:
    """Returns the account of a resource. The ARN of a bucket does not name it."""
    _, _, service, _, account, name = arn.split(":", 5)
    if account or service != "s3":
        return account
    owners: dict[str, str] = next((store.global_bucket_map for _, _, store in kept.BUCKETS.stores(None)), {})
    return owners.get(name, "")


def _who(principal: Principal) -> str:
    """Returns a name for a person: the service, the function whose session it is, or the role."""
    session = principal.session_arn.rpartition("/")[2]
    if principal.service or policies.is_function(principal.account, session):
        return principal.service or session
    return f"role {principal.role_arn.rpartition('/')[2]}"


def _error(context: RequestContext, principal: Principal, need: Need, why: str) -> CommonServiceException:
    code, status = _CODES.get(context.service.service_name, _JSON_CODE)
    resource = f" on resource: {need.resources[0]}" if need.resources else ""
    message = f"User: {principal.name} is not authorized to perform: {need.action}{resource} because {why}"
    return CommonServiceException(code, message, status_code=status, sender_fault=True)


@route(PATH, methods=["PUT", "GET"])
@understood
def serve(request: HttpRequest) -> Response:
    """Answers on LocalStack's edge router."""
    account, mode = request.args.get("account", ""), request.args.get("mode", "")
    if request.method == "PUT":
        if mode not in {"off", "report", "enforce"}:
            return Response.for_json({"error": f"mode={mode} is none of off, report, enforce"}, status=400)
        _accounts.pop(account, None)
        if mode != "off":
            _accounts[account] = _Account(enforce=mode == "enforce")
    found = _accounts.get(account)
    denied: list[dict[str, Any]] = []
    if found is not None:
        with found.lock:
            denied = [
                {"who": who, "action": action, "resource": resource, "why": why, "calls": calls}
                for (who, action, resource), (why, calls) in found.denied.items()
            ]
    return Response.for_json({"denied": denied})
