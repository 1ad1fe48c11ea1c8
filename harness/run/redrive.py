"""Redrives a dead-letter queue, or replays the objects of a bucket: what `pipeproof redrive` does."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from botocore.exceptions import BotoCoreError, ClientError

from harness.errors import UnknownVerdictError, UsageError
from harness.parts.redriving import HIDDEN_S, DeadLetterQueue, Letter, send
from harness.stack.resources import made_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.emulator.clients import Clients
    from harness.parts.redriving import Chosen

_S3 = "s3://"
_NO_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}


@dataclass
class Redriven:
    """What became of the letters. `elsewhere` counts those that another reader had until the end, `newer` those that came meanwhile and stay."""

    chosen: int = 0
    passed_over: int = 0
    moved: int = 0
    refused: int = 0
    reason: str = ""
    elsewhere: int = 0
    undeleted: int = 0
    newer: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """Which letters of the queue `source` (a name, a logical id or a URL) go to `target`; they are only looked at where that is None, or with `dry_run`."""

    source: str
    target: str | None
    chosen: Chosen
    dry_run: bool = False
    hidden_s: int = HIDDEN_S


def redrive(clients: Clients, task: Task, check: Callable[[], None], done: Redriven) -> Iterator[list[Letter]]:
    """Yields the chosen letters once they are moved, or only seen; counts in `done`. Of s3://bucket/prefix they are notifications of its objects.

    Raises UsageError for a queue or bucket that is not there or cannot be redriven, UnknownVerdictError where the endpoint fails."""
    if task.source.startswith(_S3):
        yield from _replay(clients, task, check, done)
        return
    sqs = clients("sqs")
    try:
        source = _queue(clients, task.source, moved_from=True)
        target = None if task.target is None else _queue(clients, task.target)
        if source == target:
            raise UsageError(f"{task.source} is both the dead-letter queue and --to: its messages are there already")
        with closing(DeadLetterQueue(sqs, source, check, task.hidden_s)) as queue:
            for batch in queue.batches():
                letters, sent = _sent(sqs, target, batch, task, done)
                if sent:
                    queue.delete(sent)
                yield letters
            done.elsewhere, done.undeleted, done.newer = max(queue.elsewhere, 0), queue.undeleted, queue.newer
    except (ClientError, BotoCoreError) as error:
        raise UnknownVerdictError(f"{clients.endpoint}: {error}") from error


def _replay(clients: Clients, task: Task, check: Callable[[], None], done: Redriven) -> Iterator[list[Letter]]:
    """Tells the queue `target` of each object below `source` (s3://bucket/prefix) that was put within the time chosen, as S3 did when it was put."""
    bucket, _, prefix = task.source.removeprefix(_S3).partition("/")
    if not bucket:
        raise UsageError(f"{task.source!r} names no bucket: expected s3://BUCKET/PREFIX")
    if task.chosen.errors or task.chosen.ids:
        raise UsageError("--error and --id choose letters of a queue; objects are chosen by their prefix, --since and --until")
    sqs, s3 = clients("sqs"), clients("s3")
    try:
        target = None if task.target is None else _queue(clients, task.target)
        if bucket != bucket.lower():
            # No bucket has such a name.
            bucket = _made(clients, "AWS::S3::Bucket", bucket) or bucket
        answer = s3.get_bucket_versioning(Bucket=bucket)
        # What is put from now on has its own notification. S3 tells full seconds.
        began_s = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp() + 1
        for page in _pages(s3, bucket, prefix, versioned="Status" in answer):
            check()
            there = [_notification(s3, bucket, item) for item in page]
            done.newer += sum(letter.sent_at_s > began_s for letter in there)
            yield _sent(sqs, target, [letter for letter in there if letter.sent_at_s <= began_s], task, done)[0]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            raise UsageError(f"there is no bucket {bucket} at {clients.endpoint}") from error
        raise UnknownVerdictError(f"{clients.endpoint}: {error}") from error
    except BotoCoreError as error:
        raise UnknownVerdictError(f"{clients.endpoint}: {error}") from error


def _made(clients: Clients, resource_type: str, name: str) -> str | None:
    """Returns the name that the deployment has made of a logical id. Raises UsageError where several stacks have it."""
    made = [one.made for one in made_resources(clients) if (one.type, one.name) == (resource_type, name)]
    if len(made) > 1:
        raise UsageError(f"{name} is in several stacks: name one of {', '.join(made)}")
    return made[0] if made else None


def _pages(s3: Any, bucket: str, prefix: str, *, versioned: bool) -> Iterator[list[dict[str, Any]]]:
    """Yields the objects there, as S3 lists them; of a bucket with versions the newest of each."""
    if not versioned:
        yield from (page.get("Contents", []) for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix))
        return
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        yield [version for version in page.get("Versions", []) if version["IsLatest"]]


def _sent(sqs: Any, target: str | None, batch: list[Letter], task: Task, done: Redriven) -> tuple[list[Letter], list[Letter]]:
    """Returns the chosen letters, and those of them that were sent."""
    chosen = [letter for letter in batch if task.chosen.has(letter)]
    done.chosen += len(chosen)
    done.passed_over += len(batch) - len(chosen)
    if target is None or task.dry_run:
        return chosen, []
    sent, reason = send(sqs, target, chosen)
    done.moved += len(sent)
    done.refused += len(chosen) - len(sent)
    done.reason = reason or done.reason
    return chosen, sent


def _queue(clients: Clients, name: str, *, moved_from: bool = False) -> str:
    """Returns the URL of a queue that is named by its name, its logical id or its URL."""
    sqs = clients("sqs")
    if not name.strip("/"):
        raise UsageError("a queue without a name: expected its name or its URL")
    try:
        url: str = sqs.get_queue_url(QueueName=name.rstrip("/").rpartition("/")[2])["QueueUrl"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NO_QUEUE:
            raise
        if made := _made(clients, "AWS::SQS::Queue", name):
            return _queue(clients, made, moved_from=moved_from)
        there = ", ".join(each.rpartition("/")[2] for each in sqs.list_queues().get("QueueUrls", [])) or "none"
        raise UsageError(f"there is no queue {name}; there is {there}") from error
    if "://" in name and name.rstrip("/").rsplit("/", 2)[1:] != url.rsplit("/", 2)[1:]:
        raise UsageError(f"{name} is of another account than this endpoint's {url}: --account names it")
    if moved_from:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        if attributes.get("FifoQueue") == "true":
            raise UsageError(f"{name} is a FIFO queue: StartMessageMoveTask of SQS keeps its order")
        if "RedrivePolicy" in attributes:
            raise UsageError(
                f"{name} has a redrive policy: SQS would count each look at a message as an attempt, and could move the message on"
            )
    return url


def _notification(s3: Any, bucket: str, item: dict[str, Any]) -> Letter:
    """Returns S3's notification of an object, as S3 sends it, but for its `sequencer`, which S3 does not tell again.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html"""
    stored = {"key": quote_plus(item["Key"], safe="/"), "size": item["Size"], "eTag": item["ETag"].strip('"')}
    if item.get("VersionId", "null") != "null":
        stored["versionId"] = item["VersionId"]
    moment = item["LastModified"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    body = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": s3.meta.region_name,
        "eventTime": moment,
        "eventName": "ObjectCreated:Put",
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"}, "object": stored},
    }
    return Letter(item["Key"], json.dumps({"Records": [body]}), {}, "", "", item["LastModified"].timestamp(), 0, "", ())
