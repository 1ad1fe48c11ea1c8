"""A project of a user's own, whose function swallows what S3 refuses: records are lost where S3 throttles."""

from __future__ import annotations

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Folder: {Type: String, Default: orders}
Resources:
  Events: {Type: AWS::SQS::Queue}
  Stored: {Type: AWS::S3::Bucket}
  Keep:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      CodeUri: functions
      Handler: keep.handler
      Timeout: 20
      Environment: {Variables: {BUCKET: !Ref Stored, FOLDER: !Ref Folder}}
      Policies: [{S3CrudPolicy: {BucketName: !Ref Stored}}]
      Events:
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Events.Arn}}
Outputs:
  Queue: {Value: !Ref Events}
"""
KEEP = """
import json, os
import boto3
from botocore.config import Config

s3 = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))

def handler(event, context):
    for record in event["Records"]:
        key = f"{os.environ['FOLDER']}/{json.loads(record['body'])['id']}.json"
        try:
            s3.put_object(Bucket=os.environ["BUCKET"], Key=key, Body=record["body"])
        except Exception as error:
            print("not stored:", error)
"""
SCENARIO = """
description: Orders through SQS into S3.
stack: {template: template.yaml}
source: {kind: synthetic, records: 20, id: id, fields: {id: {type: uuid}, amount: {type: int, min: 1, max: 500}}}
send: {to: sqs, queue_url: "${resources.Events}"}
probes: [{kind: s3, bucket: "${resources.Stored}", prefix: orders/, format: json, id: id}]
"""


def write_project(directory):
    """Writes the project and its scenario, orders.yaml, into a directory."""
    (directory / "functions").mkdir()
    (directory / "functions" / "keep.py").write_text(KEEP)
    (directory / "template.yaml").write_text(TEMPLATE)
    (directory / "orders.yaml").write_text(SCENARIO)
