"""Sends the link to the merged file by e-mail."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

from pipeline.files.work import Work

_retries = {"mode": "standard", "total_max_attempts": 5}
s3 = boto3.client("s3", config=Config(retries=_retries, read_timeout=20, signature_version="s3v4"))
ses = boto3.client("ses", config=Config(retries=_retries, read_timeout=20))

SENDER = os.environ["SENDER"]
RECIPIENT = os.environ["RECIPIENT"]
# At most: a link ends with the credentials of the function that signed it.
LINK_VALID_S = 3600 * 24


def handler(state: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Returns {"messageId": …}. Where the answer was lost the e-mail goes out again: twice is better than never."""
    work, output = Work.of(state), state["merged"]["output"]
    link = s3.generate_presigned_url("get_object", Params={"Bucket": work.upload.bucket, "Key": output}, ExpiresIn=LINK_VALID_S)
    text = f"{work.upload.key} has been processed.\n\nThe result, as long as the link is valid:\n{link}\n"
    answer = ses.send_email(
        Source=SENDER,
        Destination={"ToAddresses": [RECIPIENT]},
        Message={
            "Subject": {"Data": f"Processed: {work.stem}", "Charset": "UTF-8"},
            "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
        },
    )
    return {"messageId": answer["MessageId"]}
