"""Places for probes to read, without an emulator: what a probe makes of any bytes is pure."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime

from botocore.exceptions import ClientError
from botocore.response import StreamingBody


class Bucket:
    """S3 with objects: key -> (body, metadata)."""

    def __init__(self, objects):
        self.objects = objects

    def get_paginator(self, _name):
        return self

    def paginate(self, Bucket, Prefix):  # noqa: N803 - as boto3 has it
        keys = [key for key in sorted(self.objects) if key.startswith(Prefix)]
        return [{"Contents": [{"Key": key}]} for key in keys] or [{}]

    def head_object(self, Bucket, Key):  # noqa: N803
        body, metadata = self.objects[Key]
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        modified = datetime(2026, 1, 1, tzinfo=UTC)
        return {"Metadata": metadata, "LastModified": modified, "ContentLength": len(body), "ETag": etag}

    def get_object(self, Bucket, Key, VersionId=None):  # noqa: N803
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}, "ResponseMetadata": {"HTTPStatusCode": 404}}, "GetObject")
        body = self.objects[Key][0]
        return {**self.head_object(Bucket, Key), "Body": StreamingBody(io.BytesIO(body), len(body))}


class Queue:
    """SQS with messages that stay there, as a probe reads them."""

    def __init__(self, bodies):
        self.messages = [{"MessageId": str(place), "ReceiptHandle": str(place), "Body": body} for place, body in enumerate(bodies)]
        self.left = list(self.messages)

    def receive_message(self, MaxNumberOfMessages, **_):  # noqa: N803
        taken, self.left = self.left[:MaxNumberOfMessages], self.left[MaxNumberOfMessages:]
        return {"Messages": taken} if taken else {}

    def change_message_visibility_batch(self, Entries, **_):  # noqa: N803
        shown = {entry["ReceiptHandle"] for entry in Entries if entry["VisibilityTimeout"] == 0}
        self.left += [message for message in self.messages if message["ReceiptHandle"] in shown]

    def get_queue_attributes(self, **_):
        counts = {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesDelayed": "0"}
        return {"Attributes": {**counts, "ApproximateNumberOfMessagesNotVisible": str(len(self.messages))}}


class Table:
    """DynamoDB with items."""

    def __init__(self, items):
        self.items = items

    def get_paginator(self, _name):
        return self

    def paginate(self, **_):
        return [{"Items": [item]} for item in self.items] or [{"Items": []}]


class Places:
    """A factory of such clients."""

    aws = False

    endpoint, account, region = "http://127.0.0.1:1", "000000000000", "us-east-1"

    def __init__(self, **services):
        self.services = services

    def __call__(self, service, *, retries=True):
        return self.services[service]
