"""The points of a run: who calls what how often, and how many calls an invocation makes."""

from __future__ import annotations

import json

import pytest

from harness.errors import UsageError
from harness.explore.points import Point, points
from tests.unit.report.runs import STORED, left_run

CALL = {
    "kind": "call",
    "at_ms": 1,
    "name": "made-store",
    "invocation": "i-1",
    "call": "s3.PutObject",
    "status": 200,
    "error": None,
    "put": None,
}


def test_calls_are_counted_by_who_makes_them(tmp_path):
    entries = [
        {**CALL, "id": "c-1", "carried": ""},
        {**CALL, "id": "c-2", "call": "sqs.SendMessageBatch", "carried": ""},
        {
            "kind": "invocation",
            "at_ms": 2,
            "id": "i-1",
            "name": "made-store",
            "error": None,
            "took_ms": 1,
            "log": "",
            "carried": "",
        },
        {**CALL, "id": "c-3", "invocation": "i-2", "carried": ""},
        {
            "kind": "invocation",
            "at_ms": 2,
            "id": "i-2",
            "name": "made-store",
            "error": None,
            "took_ms": 1,
            "log": "",
            "carried": "",
        },
        {**CALL, "id": "c-4", "name": "harness", "invocation": "", "call": "kinesis.PutRecords", "carried": ""},
        {**CALL, "id": "c-5", "name": "localstack", "invocation": "", "call": "kms.Decrypt", "carried": ""},
    ]
    left_run(tmp_path, [STORED], entries)
    found = points(tmp_path)
    assert found == [
        Point("Store", "", 2, 2), Point("Store", "s3.PutObject", 2), Point("Store", "sqs.SendMessageBatch", 1), Point("harness", "kinesis.PutRecords", 1),
    ]  # fmt: skip
    assert [point.is_partial for point in found] == [False, False, True, True]
    assert found[0].address == {"function": "Store"}
    assert found[1].address == {"service": "s3", "operation": "PutObject", "caller": "Store"}


def test_a_run_without_a_journal_has_none(tmp_path):
    left_run(tmp_path, [STORED])
    with pytest.raises(UsageError, match="has no journal"):
        points(tmp_path)


def test_calls_are_told_apart_by_the_resource_of_the_template_that_they_name(tmp_path):
    carried = [
        {"TableName": "made-store"},
        {"RequestItems": {"made-store": []}},
        {"TableName": "arn:aws:x:made-store"},
        {"TableName": "other"},
        {"Name": "/a/made-store"},
    ]
    entries = [{**CALL, "id": f"c-{n}", "call": "dynamodb.PutItem", "carried": json.dumps(one)} for n, one in enumerate(carried)]
    left_run(tmp_path, [STORED], [*entries, {**CALL, "id": "c-9", "carried": '{"cut'}])
    assert points(tmp_path, {"Store"}) == [
        Point("Store", "dynamodb.PutItem", 1), Point("Store", "dynamodb.PutItem", 4, resource="Store"), Point("Store", "s3.PutObject", 1),
    ]  # fmt: skip
    assert {point.resource for point in points(tmp_path)} == {""}


def test_a_state_machine_calls_as_localstack(tmp_path):
    left_run(tmp_path, [STORED], [{**CALL, "id": "c-1", "name": "a state machine", "call": "sns.Publish", "carried": "{}"}])
    (found,) = points(tmp_path)
    assert found.address == {"service": "sns", "operation": "Publish", "caller": "localstack"}
