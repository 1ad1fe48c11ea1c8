"""What the schedules of the template start."""

import json
import os
import time

import boto3

dynamodb = boto3.resource("dynamodb")
table = dynamodb.Table(os.environ["TABLE"])
sqs = boto3.client("sqs")


def sweep(_event, _context):
    """Stores at most ten messages."""
    for message in sqs.receive_message(QueueUrl=os.environ["QUEUE"], MaxNumberOfMessages=10).get("Messages", []):
        item = json.loads(message["Body"])
        if os.environ["EXPIRING"] == "yes":
            item["goneAt"] = int(time.time()) + 60
        table.put_item(Item=item)
        sqs.delete_message(QueueUrl=os.environ["QUEUE"], ReceiptHandle=message["ReceiptHandle"])


def wipe(_event, _context):
    for item in table.scan(ProjectionExpression="id")["Items"]:
        table.delete_item(Key=item)


def beat(_event, _context):
    dynamodb.Table(os.environ["BEATS"]).put_item(Item={"id": str(time.time_ns())})
