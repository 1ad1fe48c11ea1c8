"""DynamoDB answers as the service does: moto's answers go out as they are."""

from __future__ import annotations

import binascii
import json

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conformance.functions import wait_until
from tests.e2e.plans import arm

ITEM = {
    "id": {"S": "né"},
    "binary": {"B": b"\x00\xff"},
    "list": {
        "L": [{"N": "1.5"}, {"NULL": True}, {"BOOL": False}, {"M": {"set": {"BS": [b"1", b"2"]}, "names": {"SS": ["a", "b"]}}}]
    },
}


@pytest.fixture
def dynamodb(clients):
    dynamodb = clients("dynamodb")
    dynamodb.create_table(
        TableName="items",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return dynamodb


def raw(clients, operation, **parameters):
    """The answer as it is on the wire."""
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", clients.endpoint, headers, json.dumps(parameters))
    SigV4Auth(Credentials(clients.account, "test"), "dynamodb", "us-east-1").add_auth(request)
    return urllib3.request("POST", clients.endpoint, body=request.data, headers=dict(request.headers))


def test_an_item_of_every_type_comes_back_as_it_was(dynamodb):
    dynamodb.put_item(TableName="items", Item=ITEM)
    assert dynamodb.get_item(TableName="items", Key={"id": ITEM["id"]})["Item"] == ITEM
    found = dynamodb.batch_get_item(RequestItems={"items": {"Keys": [{"id": ITEM["id"]}, {"id": {"S": "none"}}]}})
    assert (found["Responses"], found["UnprocessedKeys"]) == ({"items": [ITEM]}, {})


def test_an_answer_has_the_type_the_request_id_and_the_checksum_of_dynamodb(dynamodb, clients):
    dynamodb.put_item(TableName="items", Item=ITEM)
    answer = raw(clients, "GetItem", TableName="items", Key={"id": ITEM["id"]})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-amz-json-1.0")
    assert answer.headers["x-amzn-requestid"]
    assert int(answer.headers["x-amz-crc32"]) == binascii.crc32(answer.data)
    assert answer.json()["Item"]["id"] == {"S": "né"}


def test_errors_are_the_services_own(dynamodb):
    dynamodb.put_item(TableName="items", Item=ITEM)
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.get_item(TableName="none", Key={"id": {"S": "a"}})
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as refused:
        dynamodb.put_item(
            TableName="items",
            Item={"id": ITEM["id"]},
            ConditionExpression="attribute_not_exists(id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert refused.value.response["Item"] == ITEM
    put = {"TableName": "items", "Item": {"id": ITEM["id"]}, "ConditionExpression": "attribute_not_exists(id)"}
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as cancelled:
        dynamodb.transact_write_items(TransactItems=[{"Put": put}])
    assert [reason["Code"] for reason in cancelled.value.response["CancellationReasons"]] == ["ConditionalCheckFailed"]


def test_a_state_machine_whose_write_got_no_answer_hears_the_services_error(dynamodb, clients, gateway):
    """LocalStack's calls to itself have no connection that could be cut: the answer is replaced, with its checksum."""
    arm(gateway, {"kind": "reply_lost", "service": "dynamodb", "operation": "PutItem"})
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Parameters": {"TableName": "items", "Item": {"id": {"S": "written"}}},
        "End": True,
    }
    stepfunctions = clients("stepfunctions")
    machine = stepfunctions.create_state_machine(
        name="writes",
        definition=json.dumps({"StartAt": "Put", "States": {"Put": put}}),
        roleArn=f"arn:aws:iam::{clients.account}:role/x",
    )
    execution = stepfunctions.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]

    def ended():
        answer = stepfunctions.describe_execution(executionArn=execution)
        return answer if answer["status"] != "RUNNING" else None

    answer = wait_until(ended, "the execution to end", timeout_s=60)
    assert (answer["status"], answer["error"]) == ("FAILED", "DynamoDB.InternalServerError")
    assert "Item" in dynamodb.get_item(TableName="items", Key={"id": {"S": "written"}})
