"""Which permissions a call needs: the actions, and the ARNs of their resources. Most actions are called like the operation.

Source: the actions, resources and condition keys of each service in
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ANY = "*"
"""The resource of an action that knows none: only a statement for `*` allows it."""


@dataclass(frozen=True, slots=True)
class Need:
    """One permission. `resources` holds ARNs of which one must be allowed; none where they are not known. `context` has condition keys."""

    action: str
    resources: tuple[str, ...] = ()
    context: Mapping[str, str] = field(default_factory=dict)


def needs(service: str, operation: str, request: Mapping[str, Any], region: str, account: str) -> list[Need]:
    """Returns the permissions that a call needs. `service` is botocore's name, `request` the parsed parameters."""
    of = _SERVICES.get(service)
    if of is None:
        return [Need(f"{_PREFIXES.get(service, service)}:{operation}")]
    return list(of(operation, request, f"{region}:{account}"))


# Actions of S3 that are not called like the operation.
_S3_ACTIONS = {
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "SelectObjectContent": "GetObject",
    "UploadPart": "PutObject",
}
_LISTED_BY = {"s3:prefix": "Prefix", "s3:delimiter": "Delimiter", "s3:max-keys": "MaxKeys"}
_PUT_WITH = {
    "s3:x-amz-acl": "ACL",
    "s3:x-amz-server-side-encryption": "ServerSideEncryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "s3:x-amz-storage-class": "StorageClass",
}


def _s3(operation: str, request: Mapping[str, Any], _where: str) -> Iterator[Need]:
    bucket = f"arn:aws:s3:::{request['Bucket']}" if request.get("Bucket") else ANY
    resource = f"{bucket}/{request['Key']}" if request.get("Key") else bucket
    version = "Version" if request.get("VersionId") else ""
    match operation:
        case "CopyObject" | "UploadPartCopy":
            source, _, versioned = unquote(_copied(request.get("CopySource"))).lstrip("/").partition("?versionId=")
            yield Need(f"s3:GetObject{'Version' if versioned else ''}", (f"arn:aws:s3:::{source}",))
            put_with = {key: str(request[name]) for key, name in _PUT_WITH.items() if request.get(name)}
            yield Need("s3:PutObject", (resource,), put_with)
        case "DeleteObjects":
            for item in (request.get("Delete") or {}).get("Objects", ()):
                yield Need(f"s3:DeleteObject{'Version' if item.get('VersionId') else ''}", (f"{bucket}/{item['Key']}",))
        case "GetObject" | "HeadObject" | "DeleteObject":
            yield Need(f"s3:{_S3_ACTIONS.get(operation, operation)}{version}", (resource,))
        case "GetObjectTagging" | "PutObjectTagging" | "GetObjectAcl" | "PutObjectAcl":
            yield Need(f"s3:{operation.replace('Object', f'Object{version}')}", (resource,))
        case _:
            context = {key: str(request[name]) for key, name in (_LISTED_BY | _PUT_WITH).items() if request.get(name)}
            yield Need(f"s3:{_S3_ACTIONS.get(operation, operation)}", (resource,), context)
    if operation in {"PutObject", "CopyObject", "CreateMultipartUpload"}:
        yield from (Need(f"s3:{action}", (resource,)) for key, action in _S3_WITH.items() if request.get(key))


_S3_WITH = {"Tagging": "PutObjectTagging", "ACL": "PutObjectAcl"}


def _copied(source: Any) -> str:
    return f"{source.get('Bucket')}/{source.get('Key')}" if isinstance(source, dict) else str(source or "")


def _sqs(operation: str, request: Mapping[str, Any], where: str) -> Iterator[Need]:
    *_, owner, last = ("", "", *str(request.get("QueueUrl", "")).rstrip("/").split("/"))
    name = request.get("QueueName") or last
    # LocalStack delivers with its own account id; the URL has the account that owns the queue.
    where = f"{where.partition(':')[0]}:{owner}" if owner.isdecimal() else where
    resources = (f"arn:aws:sqs:{where}:{name}",) if name else (ANY,)
    yield Need(f"sqs:{operation.removesuffix('Batch')}", resources)


def _sns(operation: str, request: Mapping[str, Any], _where: str) -> Iterator[Need]:
    arn = request.get("TopicArn") or request.get("TargetArn") or request.get("ResourceArn") or ANY
    yield Need(f"sns:{operation.removesuffix('Batch')}", (arn,))


_TRANSACTED = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def _dynamodb(operation: str, request: Mapping[str, Any], where: str) -> Iterator[Need]:
    def table(name: str, index: str | None = None) -> tuple[str, ...]:
        arn = name if name.startswith("arn:") else f"arn:aws:dynamodb:{where}:table/{name}"
        return (f"{arn}/index/{index}" if index else arn,)

    if operation in {"BatchGetItem", "BatchWriteItem"}:
        for name in request.get("RequestItems") or {}:
            yield Need(f"dynamodb:{operation}", table(name))
    elif operation in {"TransactWriteItems", "TransactGetItems"}:
        for item in request.get("TransactItems") or ():
            for kind, of in item.items():
                yield Need(f"dynamodb:{_TRANSACTED[kind]}", table(of["TableName"]))
    elif operation in {"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}:
        # Which table and which of PartiQL's actions, the statement's text says: it is not read.
        return
    elif request.get("TableName"):
        yield Need(f"dynamodb:{operation}", table(request["TableName"], request.get("IndexName")))
    else:
        yield Need(f"dynamodb:{operation}", (request.get("ResourceArn") or ANY,))


def _kinesis(operation: str, request: Mapping[str, Any], where: str) -> Iterator[Need]:
    name = request.get("StreamName")
    arn = request.get("StreamARN") or (f"arn:aws:kinesis:{where}:stream/{name}" if name else None)
    # An iterator stands for its stream, which it does not name.
    yield Need(f"kinesis:{operation}", (arn,) if arn else ())


def _firehose(operation: str, request: Mapping[str, Any], where: str) -> Iterator[Need]:
    name = request.get("DeliveryStreamName")
    yield Need(f"firehose:{operation}", (f"arn:aws:firehose:{where}:deliverystream/{name}",) if name else (ANY,))


def _states(operation: str, request: Mapping[str, Any], _where: str) -> Iterator[Need]:
    arn = request.get("stateMachineArn") or request.get("executionArn") or request.get("activityArn")
    yield Need(f"states:{operation}", (arn,) if arn else (ANY,))


def _events(operation: str, request: Mapping[str, Any], where: str) -> Iterator[Need]:
    def bus(name: str | None) -> str:
        name = name or "default"
        return name if name.startswith("arn:") else f"arn:aws:events:{where}:event-bus/{name}"

    if operation == "PutEvents":
        for name in dict.fromkeys(entry.get("EventBusName") for entry in request.get("Entries") or ()):
            yield Need("events:PutEvents", (bus(name),))
        return
    name = request.get("Name") or request.get("Rule")
    of_bus = str(request.get("EventBusName") or "default").rpartition("/")[2]
    rule = name if of_bus == "default" else f"{of_bus}/{name}"
    yield Need(f"events:{operation}", (f"arn:aws:events:{where}:rule/{rule}",) if name else (ANY,))


def _lambda(operation: str, request: Mapping[str, Any], where: str) -> Iterator[Need]:
    name = str(request.get("FunctionName") or "")
    if name.startswith("arn:"):
        where = ":".join(name.split(":")[3:5])
    # A name, a partial ARN (account:function:name) or an ARN, each with a qualifier or without.
    last = name.rpartition("function:")[2] if "function:" in name else name
    qualifier = request.get("Qualifier")
    arn = f"arn:aws:lambda:{where}:function:{last}" + (f":{qualifier}" if qualifier and ":" not in last else "")
    action = "InvokeFunction" if operation in {"Invoke", "InvokeAsync", "InvokeWithResponseStream"} else operation
    yield Need(f"lambda:{action}", (arn,) if name else (ANY,))


def _ses(operation: str, request: Mapping[str, Any], where: str) -> Iterator[Need]:
    source = str(request.get("Source") or request.get("FromEmailAddress") or "")
    address = source.rpartition("<")[2].rstrip("> ")
    identities = tuple(f"arn:aws:ses:{where}:identity/{name}" for name in (address, address.rpartition("@")[2]) if name)
    yield Need(f"ses:{operation}", identities, {"ses:FromAddress": address} if address else {})


def _cloudwatch(operation: str, request: Mapping[str, Any], _where: str) -> Iterator[Need]:
    namespace = request.get("Namespace")
    yield Need(f"cloudwatch:{operation}", (ANY,), {"cloudwatch:namespace": namespace} if namespace else {})


def _named(prefix: str, path: str, *keys: str) -> Callable[[str, Mapping[str, Any], str], Iterator[Need]]:
    """Returns the needs of a service whose requests name one resource, by one of the keys."""

    def of(operation: str, request: Mapping[str, Any], where: str) -> Iterator[Need]:
        name = next((str(request[key]).removeprefix("/") for key in keys if request.get(key)), None)
        if name is None:
            yield Need(f"{prefix}:{operation}")
        else:
            yield Need(f"{prefix}:{operation}", (name if name.startswith("arn:") else f"arn:aws:{prefix}:{where}:{path}{name}",))

    return of


def _secretsmanager(operation: str, request: Mapping[str, Any], _where: str) -> Iterator[Need]:
    arn = str(request.get("SecretId") or "")
    # A secret's ARN ends with six characters that its name does not have.
    yield Need(f"secretsmanager:{operation}", (arn,) if arn.startswith("arn:") else ())


def _scheduler(operation: str, request: Mapping[str, Any], where: str) -> Iterator[Need]:
    name, group = request.get("Name"), request.get("GroupName") or "default"
    yield Need(f"scheduler:{operation}", (f"arn:aws:scheduler:{where}:schedule/{group}/{name}",) if name else (ANY,))


# The prefix of a service's actions, where it is not botocore's name of the service.
_PREFIXES = {
    "dynamodbstreams": "dynamodb",
    "opensearch": "es",
    "resourcegroupstaggingapi": "tag",
    "sesv2": "ses",
    "stepfunctions": "states",
}

_SERVICES: Mapping[str, Callable[[str, Mapping[str, Any], str], Iterator[Need]]] = {
    "s3": _s3,
    "sqs": _sqs,
    "sns": _sns,
    "dynamodb": _dynamodb,
    "kinesis": _kinesis,
    "firehose": _firehose,
    "stepfunctions": _states,
    "events": _events,
    "lambda": _lambda,
    "ses": _ses,
    "sesv2": _ses,
    "cloudwatch": _cloudwatch,
    "ssm": _named("ssm", "parameter/", "Name"),
    "secretsmanager": _secretsmanager,
    "scheduler": _scheduler,
}
