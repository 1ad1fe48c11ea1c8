"""Asks a person: a message with a link to approve and a link to reject. The state waits until one of them is used."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from botocore.config import Config

from pipeline.approvals.transforms import link
from pipeline.files.work import Work

_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20)
sns = boto3.client("sns", config=_config)
secrets = boto3.client("secretsmanager", config=_config)

TOPIC = os.environ["APPROVAL_TOPIC_ARN"]
URL = os.environ["DECISION_URL"]
KEY = secrets.get_secret_value(SecretId=os.environ["LINK_KEY_ARN"])["SecretString"].encode()


def handler(event: dict[str, Any], _context: Any) -> None:
    """`event` is {"state", "token"}. Where this fails the state asks again, with another token: of two messages the links of the later one count."""
    work, validated, token = Work.of(event["state"]), event["state"]["validated"], event["token"]
    message = {
        "messageType": "approval-needed",
        "upload": work.upload.id,
        "key": work.upload.key,
        "valid": validated["valid"],
        "failed": validated["failed"],
        "approve": link(URL, KEY, token, "approve"),
        "reject": link(URL, KEY, token, "reject"),
        "secondsLeft": validated["timeout"],
    }
    sns.publish(TopicArn=TOPIC, Subject=f"To approve: {work.stem}"[:100], Message=json.dumps(message))
