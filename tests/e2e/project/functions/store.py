"""Stores records into the table, from wherever they come."""

import json
import os
import urllib.parse

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
sqs = boto3.client("sqs")


def store(text, way):
    document = json.loads(text)
    if document.get("poison"):
        raise ValueError(f"poison: {document['id']}")
    table.put_item(Item={"id": document["id"], "name": document["name"], "way": way})


def from_queue(event, _context):
    for record in event["Records"]:
        store(record["body"], "queue")


def from_topic(event, _context):
    for record in event["Records"]:
        store(record["Sns"]["Message"], "topic")


def from_event(event, _context):
    store(json.dumps(event["detail"]), "event")


def from_api(event, _context):
    document = json.loads(event["body"])
    if document["id"] != event["pathParameters"]["id"]:
        return {"statusCode": 400, "body": "the body is another order's"}
    store(event["body"], "api")
    return {"stored": document["id"]}


def from_bucket(event, _context):
    s3 = boto3.client("s3")
    for record in event["Records"]:
        key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        body = s3.get_object(Bucket=record["s3"]["bucket"]["name"], Key=key)["Body"].read()
        for line in body.decode().splitlines():
            store(line, "bucket")


def from_held(_event, _context):
    """Once a night: stores what was held back during the day."""
    url = os.environ["HELD"]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            store(message["Body"], "held")
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
