"""Tells an emulator which services a template needs, so that it loads them while the functions are packaged (harness/inside/ahead.py)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from harness.emulator.plugin import ask
from harness.errors import UnknownVerdictError

if TYPE_CHECKING:
    from collections.abc import Iterable

# Of AWS::KIND::…, those that take a while.
_OF_KIND = {
    "ApiGateway": ("apigateway",),
    "CloudWatch": ("cloudwatch",),
    "DynamoDB": ("dynamodb",),
    "Events": ("events",),
    "IAM": ("iam",),
    "Kinesis": ("kinesis",),
    "KMS": ("kms",),
    "Lambda": ("lambda", "iam"),
    "Logs": ("logs",),
    "S3": ("s3",),
    "SNS": ("sns",),
    "SQS": ("sqs",),
    "StepFunctions": ("stepfunctions", "iam"),
}
_OF_SAM = {
    "Api": ("apigateway",),
    "Function": ("lambda", "iam"),
    "SimpleTable": ("dynamodb",),
    "StateMachine": ("stepfunctions", "iam"),
}


def services_of(types: Iterable[str]) -> list[str]:
    """Returns the services, by boto3's names, that resources of these CloudFormation types need."""
    found: dict[str, None] = {}
    for one in types:
        _, _, rest = one.partition("::")
        kind, _, of = rest.partition("::")
        found |= dict.fromkeys(_OF_SAM.get(of, ()) if kind == "Serverless" else _OF_KIND.get(kind, ()))
    return list(found)


def load(endpoint: str, account: str, region: str, types: Iterable[str]) -> None:
    """Lets the emulator load what resources of these types need. Nothing is waited for, and nothing depends on it."""
    with contextlib.suppress(UnknownVerdictError):
        ask(
            "POST",
            f"{endpoint}/_pipeproof/ahead",
            {},
            "services",
            body={"account": account, "region": region, "services": services_of(types)},
        )
