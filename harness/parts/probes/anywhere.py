"""Finds records by their ids in any object, item or message. `pipeproof init` uses this probe, because it does not know how the stack stores records."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal, Self

import pyarrow.parquet as pq
from botocore.exceptions import ClientError
from pydantic import model_validator

from harness.accounting.record import Observation, Outcome, item_put, object_put
from harness.parts.mentions import Mentions
from harness.parts.part import NotEmpty, Part
from harness.parts.ports import Context, Probe
from harness.parts.probes.sqs import documents, retention

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_VARIES = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{8,}|[0-9]+")
_ENDING = re.compile(r"(\.[A-Za-z][A-Za-z0-9]{0,7})?\.(gz|bz2|zst)$|\.[A-Za-z][A-Za-z0-9]{0,7}$", re.IGNORECASE)
# As single-table designs name kinds of items, and not as data does.
_KIND = re.compile(r"[A-Z][A-Z_]*")
_SHOWN = 5
# Ids that stand somewhere, and those whose records' bytes stand there.
_Ids = tuple[set[str], set[str]]
_NOTES = "anywhere-*.json"
_WATCHES = "pipeproof-watches-"


class Place(Part):
    """A bucket (below `prefix`), a table, a queue or a topic. `holds: every` says that each healthy record ends here unless it is given up, `some` that not each does.
    `keeps_payload: false` of a place where records are given up: to be named there is enough."""

    bucket: str | None = None
    prefix: str = ""
    table: str | None = None
    queue_url: str | None = None
    topic_arn: str | None = None
    outcome: Literal["stored", "dead_lettered", "alerted"] = "stored"
    holds: Literal["every", "some"] | None = None
    keeps_payload: bool = True

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(name is not None for name in (self.bucket, self.table, self.queue_url, self.topic_arn)) != 1:
            raise ValueError("expected one of bucket, table, queue_url and topic_arn")
        return self

    @property
    def name(self) -> str:
        """Returns the place in words."""
        if self.bucket is not None:
            return f"s3://{self.bucket}/{self.prefix}"
        if self.table is not None:
            return f"table {self.table}"
        return f"queue {self.queue_url.rsplit('/', 1)[-1]}" if self.queue_url else f"topic {str(self.topic_arn).rpartition(':')[2]}"


@dataclass(frozen=True, slots=True)
class Found:
    """The ids that stand in a place, or in the objects or items of it whose keys look alike; and those of records whose bytes are there too, where records are given
    up."""

    place: Place
    name: str
    ids: frozenset[str]
    kept: frozenset[str]


def standing(run_dir: Path) -> dict[str, list[str]]:
    """Returns by record the places in which probes of this kind have found it in a run, whether or not that is where it must be."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(run_dir.glob(_NOTES)):
        for _, name, ids, *_ in json.loads(path.read_text()):
            for record_id in ids:
                found[record_id].append(name)
    return found


class Anywhere(Probe):
    """Finds each record of the load whose id stands anywhere in one of the `places`: in an object, an item or a message, whatever else it says.

    A record is stored where a place of that outcome has it, and every place that `holds: every`. No content is compared, and duplicates are not told. Where some of
    the stored records stand in other places than the others, whether they are lost cannot be known (a note of an error names a record, too): that is a doubt, but for
    places that `holds: some`. The objects of a bucket count as places by the first folder and the ending of their keys, the items of a table by a kind in
    theirs, such as ORDER#, and those that lack most attributes of the others.

    A record is given up where its id stands in such a place. Its bytes must stand there too, alone, as a text or an object of JSON, or in base64; else it is irrecoverable.
    Of rows of files the id is enough."""

    places: Annotated[tuple[Place, ...], NotEmpty]

    def makes(self) -> Iterator[str]:
        """Yields the queues that are subscribed to topics."""
        yield from (f"a queue that is subscribed to {place.topic_arn}" for place in self.places if place.topic_arn)

    def begin(self, context: Context) -> None:
        """Subscribes a queue to each topic, which keeps nothing itself."""
        for place in self.places:
            if place.topic_arn is not None:
                _watch(context, place.topic_arn)

    def end(self, context: Context) -> None:
        """Deletes these queues. Their subscriptions go with the topics."""
        for place in self.places:
            if place.topic_arn is not None:
                sqs = context.clients("sqs")
                sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=_watch_name(place.topic_arn))["QueueUrl"])

    def open(self, context: Context) -> Iterator[Observation]:
        """Yields one sighting of each record for each outcome, with the first place that has it."""
        found = self._found(context)
        for outcome in Outcome:
            seen: dict[str, str] = {}
            kept: set[str] = set()
            for one in found:
                if one.place.outcome == outcome:
                    seen |= {record_id: one.name for record_id in one.ids if record_id not in seen}
                    kept |= one.kept if one.place.keeps_payload and outcome is not Outcome.STORED else one.ids
            needed = [
                frozenset().union(*(one.ids for one in found if one.place == place))
                for place in self.places
                if place.outcome == outcome and place.holds == "every"
            ]
            for record_id, name in seen.items():
                if all(record_id in ids for ids in needed):
                    # One that keeps the payload, and has none, does not keep this record's.
                    yield Observation(outcome, name, record_id, content=b"{}", keeps_payload=record_id not in kept)

    def doubts(self, context: Context) -> Iterator[str]:
        """Yields a reason per place that does not keep what it has, and per place that has a part of the records and does not say whether that is all."""
        healthy = Mentions(context.run_dir).healthy
        stored = [replace(one, ids=one.ids & healthy) for one in self._found(context) if one.place.outcome == "stored"]
        yield from _split([one for one in stored if one.place.holds is None])
        for place in self.places:
            if place.holds == "every":
                yield from _split([one for one in stored if one.place == place])
        for place in self.places:
            if place.queue_url is not None:
                yield from retention(context, place.queue_url)

    def _found(self, context: Context) -> list[Found]:
        """Returns which records each place has. The places are read once in a run, and the file in its directory is for a person too."""
        kept = context.run_dir / _NOTES.replace("*", hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8])
        if kept.is_file():
            return [
                Found(self.places[number], name, frozenset(ids), frozenset(here))
                for number, name, ids, here in json.loads(kept.read_text())
            ]
        load, found = Mentions(context.run_dir), []
        for number, place in enumerate(self.places):
            groups: dict[str, _Ids] = defaultdict(lambda: (set(), set()))
            for name, content, around in _documents(place, context, load):
                here = set() if place.outcome == "stored" else load.kept_in(content) | load.kept_in(around)
                groups[name][0].update(load.named(around + b"\n" + content), here)
                groups[name][1].update(here)
            found += [(number, name, sorted(ids), sorted(here)) for name, (ids, here) in sorted(_by_kind(groups).items())]
        kept.write_text(json.dumps(found, indent=1))
        return [Found(self.places[number], name, frozenset(ids), frozenset(here)) for number, name, ids, here in found]


def _by_kind(groups: Mapping[str, _Ids]) -> dict[str, _Ids]:
    """Returns the groups of items by their kinds: those that lack most attributes of the others, such as notes of errors, are one of their own. The name of a group of items
    has their attributes behind a NUL."""
    found: dict[str, _Ids] = defaultdict(lambda: (set(), set()))
    usual: dict[str, set[str]] = {}
    for name, ids in sorted(groups.items(), key=lambda one: -len(one[1][0])):
        place, _, shape = name.partition("\0")
        attributes = set(shape.split("\0"))
        common = usual.setdefault(place, attributes)
        is_other = 2 * len(attributes & common) < len(common)
        group = found[f"{place} ({', '.join(sorted(attributes)[:_SHOWN])})" if is_other else place]
        group[0].update(ids[0])
        group[1].update(ids[1])
    return found


def _split(found: Sequence[Found]) -> Iterator[str]:
    """Yields a reason where these do not all have the same records."""
    counts = Counter(record_id for one in found for record_id in one.ids)
    many = sum(bool(one.ids) for one in found)
    if fewer := [record_id for record_id, count in counts.items() if count < many]:
        there = sorted((one for one in found if one.ids), key=lambda one: len(one.ids))
        rare = there[0].ids.intersection(fewer)
        held = ", ".join(f"{one.name}: {len(one.ids):,}" for one in there)
        yield (
            f"{len(fewer):,} of {len(counts):,} stored records do not stand in each of the places, such as {min(rare or fewer)} ({held}): "
            "lost there, or not for there? Say `holds: every` or `holds: some` of each place, and name folders as places by `prefix`"
        )


def _documents(place: Place, context: Context, load: Mentions) -> Iterator[tuple[str, bytes, bytes]]:
    """Yields, of each object, item or message, where it stands, what is in it, and what stands around that."""
    if place.bucket is not None:
        return _objects(place, place.bucket, context, load)
    if place.table is not None:
        return _items(place, place.table, context, load)
    return _messages(place, context, load)


def _objects(place: Place, bucket: str, context: Context, load: Mentions) -> Iterator[tuple[str, bytes, bytes]]:
    s3 = context.clients("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=place.prefix):
        for item in page.get("Contents", []):
            context.check()
            key = item["Key"]
            answer = s3.get_object(Bucket=bucket, Key=key)
            body = answer["Body"].read()
            if not load.has_put(object_put(bucket, key, answer.get("ETag", "")), body):
                head = f"{key}\n{json.dumps(answer.get('Metadata', {}))}".encode()
                yield place.name + _folder(key[len(place.prefix) :]), _unpacked(body), head


def _items(place: Place, table: str, context: Context, load: Mentions) -> Iterator[tuple[str, bytes, bytes]]:
    dynamodb = context.clients("dynamodb")
    key = next(
        one["AttributeName"] for one in dynamodb.describe_table(TableName=table)["Table"]["KeySchema"] if one["KeyType"] == "HASH"
    )
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        context.check()
        for item in page["Items"]:
            if not load.has_put(item_put(table, item)):
                kind, sign, _ = str(item[key].get("S", "")).partition("#")
                group = place.name + (f" {kind}#" if sign and _KIND.fullmatch(kind) else "")
                yield "\0".join((group, *sorted(item))), json.dumps(item, default=_text, ensure_ascii=False).encode(), b""


def _messages(place: Place, context: Context, load: Mentions) -> Iterator[tuple[str, bytes, bytes]]:
    url = place.queue_url or context.clients("sqs").get_queue_url(QueueName=_watch_name(str(place.topic_arn)))["QueueUrl"]
    for seen in documents(context, url):
        if not load.has_put(seen.put_at or ""):
            attributes = json.dumps(seen.around["message"]["attributes"]).encode()
            yield place.name, seen.content or b"", attributes


def _folder(key: str) -> str:
    """Returns the first folder and the ending of a key; of a folder that is named after its content, such as year=2026 or a UUID, its form."""
    folder, slash, _ = key.partition("/")
    name, equals, _ = folder.partition("=")
    ending = _ENDING.search(key)
    first = f"{name}=" if equals and slash else (_VARIES.sub("*", folder) + slash if slash else "")
    return first + (f"*{ending[0].lower()}" if ending else "")


def _unpacked(body: bytes) -> bytes:
    """Returns the text of an object: of Parquet the rows, as JSON; of gzip what is packed."""
    try:
        if body[:2] == b"\x1f\x8b":
            return gzip.decompress(body)
        if body[:4] == b"PAR1":
            import pyarrow as pa  # noqa: PLC0415 - a third of a second

            return json.dumps(pq.read_table(pa.BufferReader(body)).to_pylist(), default=_text).encode()
    except (OSError, EOFError, ValueError):
        pass
    return body


def _text(value: object) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _watch_name(topic_arn: str) -> str:
    suffix = ".fifo" if topic_arn.endswith(".fifo") else ""
    return f"{_WATCHES}{hashlib.sha256(topic_arn.encode()).hexdigest()[:16]}{suffix}"


def _watch(context: Context, topic_arn: str) -> None:
    """Subscribes a queue of ours to a topic."""
    sqs, name = context.clients("sqs"), _watch_name(topic_arn)
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}
    attributes = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]}), "MessageRetentionPeriod": "1209600"}
    if name.endswith(".fifo"):
        attributes["FifoQueue"] = "true"
    try:
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    except ClientError:
        # Of an earlier run that was killed.
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    context.clients("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
