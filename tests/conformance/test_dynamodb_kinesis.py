"""Kinesis Data Streams for DynamoDB."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.conformance.functions import wait_until
from tests.conformance.stacks import outputs

PAGE = "amazondynamodb/latest/developerguide/kds_using-shard-management.html"
API = "amazondynamodb/latest/APIReference/API_EnableKinesisStreamingDestination.html"
TABLE = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}


@pytest.fixture
def arn(clients):
    clients("kinesis").create_stream(StreamName="changes", ShardCount=1)
    clients("kinesis").get_waiter("stream_exists").wait(StreamName="changes", WaiterConfig={"Delay": 1})
    return f"arn:aws:kinesis:us-east-1:{clients.account}:stream/changes"


def changes(clients, arn, many):
    shard = clients("kinesis").list_shards(StreamARN=arn)["Shards"][0]["ShardId"]

    def read():
        iterator = clients("kinesis").get_shard_iterator(StreamARN=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        found = clients("kinesis").get_records(ShardIterator=iterator["ShardIterator"])["Records"]
        return found if len(found) >= many else None

    return [json.loads(one["Data"]) for one in wait_until(read, f"{many} changes")]


@pytest.mark.rule(PAGE)
def test_every_change_of_an_item_goes_into_the_stream_with_both_images(clients, arn):
    """A change is a record with keys, both images and a time in milliseconds; a table needs no stream of DynamoDB for it."""
    dynamodb = clients("dynamodb")
    dynamodb.create_table(TableName="t", **TABLE)
    dynamodb.put_item(TableName="t", Item={"id": {"S": "before"}})
    dynamodb.enable_kinesis_streaming_destination(TableName="t", StreamArn=arn)
    (told,) = dynamodb.describe_kinesis_streaming_destination(TableName="t")["KinesisDataStreamDestinations"]
    assert (told["StreamArn"], told["DestinationStatus"]) == (arn, "ACTIVE")
    dynamodb.put_item(TableName="t", Item={"id": {"S": "a"}, "n": {"N": "1"}})
    dynamodb.put_item(TableName="t", Item={"id": {"S": "a"}, "n": {"N": "1"}})
    dynamodb.put_item(TableName="t", Item={"id": {"S": "a"}, "n": {"N": "2"}})
    dynamodb.delete_item(TableName="t", Key={"id": {"S": "a"}})
    first, second, third = changes(clients, arn, 3)
    assert [one["eventName"] for one in (first, second, third)] == ["INSERT", "MODIFY", "REMOVE"]
    assert (first["tableName"], first["recordFormat"], first["eventSource"]) == ("t", "application/json", "aws:dynamodb")
    assert second["dynamodb"]["Keys"] == {"id": {"S": "a"}}
    assert (second["dynamodb"]["OldImage"]["n"], second["dynamodb"]["NewImage"]["n"]) == ({"N": "1"}, {"N": "2"})
    assert "NewImage" not in third["dynamodb"]
    assert len(str(first["dynamodb"]["ApproximateCreationDateTime"])) == 13


@pytest.mark.rule(API)
def test_a_destination_that_is_disabled_gets_nothing_and_can_be_enabled_again(clients, arn):
    """Enabling an active destination or a stream that does not exist is a ValidationException; a disabled destination gets nothing."""
    dynamodb = clients("dynamodb")
    dynamodb.create_table(TableName="t", **TABLE)
    dynamodb.enable_kinesis_streaming_destination(TableName="t", StreamArn=arn)
    for stream in (arn, f"{arn}-that-is-not-there"):
        with pytest.raises(ClientError, match="ValidationException"):
            dynamodb.enable_kinesis_streaming_destination(TableName="t", StreamArn=stream)
    never = {"Update": {"TableName": "t", "Key": {"id": {"S": "c"}}, "ConditionExpression": "attribute_exists(id)", "UpdateExpression": "SET n = :n",
                        "ExpressionAttributeValues": {":n": {"N": "1"}}}}  # fmt: skip
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        dynamodb.transact_write_items(TransactItems=[never])
    dynamodb.disable_kinesis_streaming_destination(TableName="t", StreamArn=arn)
    dynamodb.put_item(TableName="t", Item={"id": {"S": "unheard"}})
    dynamodb.enable_kinesis_streaming_destination(TableName="t", StreamArn=arn)
    dynamodb.put_item(TableName="t", Item={"id": {"S": "heard"}})
    assert [one["dynamodb"]["Keys"]["id"]["S"] for one in changes(clients, arn, 1)] == ["heard"]


@pytest.mark.rule("AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html")
def test_a_table_of_a_template_has_its_destination(clients, deploy):
    """KinesisStreamSpecification of a table; of a transaction each item is a change, and of one that fails none."""
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {**TABLE, "TableName": "t", "KinesisStreamSpecification": {"StreamArn": {"Fn::GetAtt": ["S", "Arn"]}}},
    }
    stream = {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}}
    assert deploy({"S": stream, "T": table}, Outputs={"Arn": {"Value": {"Fn::GetAtt": ["S", "Arn"]}}}) == "CREATE_COMPLETE"
    put = [{"Put": {"TableName": "t", "Item": {"id": {"S": key}}}} for key in ("a", "b")]
    never = {"ConditionCheck": {"TableName": "t", "Key": {"id": {"S": "c"}}, "ConditionExpression": "attribute_exists(id)"}}
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        clients("dynamodb").transact_write_items(TransactItems=[*put, never])
    clients("dynamodb").transact_write_items(TransactItems=put)
    found = changes(clients, outputs(clients("cloudformation"))["Arn"], 2)
    assert [one["dynamodb"]["Keys"]["id"]["S"] for one in found] == ["a", "b"]
