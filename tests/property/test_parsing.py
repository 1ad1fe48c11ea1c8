"""Requests in JSON are read as LocalStack's own parser reads them."""

from __future__ import annotations

import json
import types

import localstack.aws.protocol.parser as original
import pytest
from hypothesis import given
from hypothesis import strategies as st
from localstack.aws.spec import load_service
from localstack.http import Request

from harness.inside.patches import parsing


class Base(original.BaseJSONRequestParser):
    """LocalStack's, with the patch."""


parsing.json.apply(types.SimpleNamespace(BaseJSONRequestParser=Base))
parsing.json_maps.apply(types.SimpleNamespace(BaseJSONRequestParser=Base))


class Json(Base, original.JSONRequestParser):
    """DynamoDB's, SQS's and Kinesis's."""


class RestJson(Base, original.RestJSONRequestParser):
    """Lambda's."""


OPERATIONS = [
    ("dynamodb", "BatchWriteItem"), ("dynamodb", "PutItem"), ("dynamodb", "Query"), ("sqs", "SendMessageBatch"),
    ("kinesis", "PutRecords"), ("stepfunctions", "StartExecution"), ("events", "PutEvents"), ("lambda", "PutFunctionEventInvokeConfig"),
]  # fmt: skip
SERVICES = {name: load_service(name) for name, _ in OPERATIONS}
ODD = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=3), st.just([]), st.just({}), st.just("YQ=="))


def values(shape, depth=5):
    """Documents that the shape may have, of which a part is wrong."""
    match shape.type_name if depth else "":
        case "structure":
            members = {member.serialization.get("name", name): values(member, depth - 1) for name, member in shape.members.items()}
            return st.one_of(st.fixed_dictionaries({}, optional={**members, "unknown": ODD}), ODD)
        case "list":
            return st.one_of(st.lists(values(shape.member, depth - 1), max_size=2), ODD)
        case "map":
            return st.one_of(st.dictionaries(st.text(max_size=2), values(shape.value, depth - 1), max_size=2), ODD)
        case _:
            return ODD


def read(parser, service, operation, body):
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"x.{operation}"}
    method, path, query = "POST", "/", ""
    if service.protocol == "rest-json":
        method, path, query = "PUT", "/2019-09-25/functions/mine/event-invoke-config", "Qualifier=live"
    try:
        return parser(service).parse(Request(method, path, query_string=query, headers=headers, body=json.dumps(body)))[1]
    except original.RequestParserError:
        # Of several errors either may be told.
        return "refused"


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_what_is_read_is_what_localstack_reads(name, operation):
    service = SERVICES[name]
    ours, theirs = (
        (RestJson, original.RestJSONRequestParser) if service.protocol == "rest-json" else (Json, original.JSONRequestParser)
    )

    @given(values(service.operation_model(operation).input_shape))
    def same(body):
        assert read(ours, service, operation, body) == read(theirs, service, operation, body)

    same()
