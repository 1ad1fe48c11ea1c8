"""What was seen must stay: a queue, a table or a bucket that soon forgets is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from harness.parts.probes.alerts import Alerts
from harness.parts.probes.dynamodb import DynamoDb
from harness.parts.probes.failed_batches import FailedBatches
from harness.parts.probes.s3 import S3
from harness.parts.probes.sqs import Sqs
from harness.parts.reading import Reading
from tests.loads import context
from tests.unit.parts.places import Places

HOUR_S = 3600


def doubts(probe, kept_for_s=48 * HOUR_S, **services):
    return list(probe.doubts(replace(context(Places(**services)), kept_for_s=kept_for_s)))


class Queue:
    def __init__(self, kept_s):
        self.kept_s = kept_s

    def get_queue_attributes(self, **_):
        return {"Attributes": {"MessageRetentionPeriod": str(self.kept_s)}}


@pytest.mark.parametrize(
    "probe",
    [
        Sqs(queue_url="http://q/dead"),
        FailedBatches(queue_url="http://q/dead"),
        Alerts(queue_url="http://q/dead", names=(Reading(),)),
    ],
)
def test_a_queue_that_forgets_too_soon_is_named(probe):
    assert doubts(probe, sqs=Queue(48 * HOUR_S)) == []
    assert doubts(probe, sqs=Queue(60)) == ["queue dead keeps its messages for 60 s only, less than kept_for_hours says"]


class Bucket:
    def __init__(self, *rules):
        self.rules = rules

    def get_bucket_lifecycle_configuration(self, **_):
        if not self.rules:
            raise ClientError({"Error": {"Code": "NoSuchLifecycleConfiguration"}}, "GetBucketLifecycleConfiguration")
        return {"Rules": list(self.rules)}


TOMORROW = datetime.now(UTC) + timedelta(hours=3)
ON = {"ID": "r", "Status": "Enabled"}


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ({**ON, "Expiration": {"Days": 1}, "Filter": {"Prefix": "out/"}}, True),
        ({**ON, "Expiration": {"Days": 1}, "Filter": {"And": {"Prefix": "out/2026/", "Tags": []}}}, True),
        ({**ON, "Expiration": {"Days": 1}, "Filter": {}}, True),
        ({**ON, "Expiration": {"Date": TOMORROW}, "Prefix": ""}, True),
        ({**ON, "Expiration": {"Days": 30}, "Filter": {}}, False),
        ({**ON, "Expiration": {"Days": 1}, "Filter": {"Prefix": "work/"}}, False),
        ({**ON, "Status": "Disabled", "Expiration": {"Days": 1}, "Filter": {}}, False),
        ({**ON, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}, "Filter": {}}, False),
        ({**ON, "Expiration": {"ExpiredObjectDeleteMarker": True}, "Filter": {}}, False),
    ],
)
def test_a_lifecycle_rule_that_removes_what_was_seen_is_named(rule, named):
    found = doubts(S3(bucket="b", prefix="out/"), s3=Bucket(rule))
    assert found == (["lifecycle rule r of bucket b removes objects sooner than kept_for_hours says"] if named else [])


def test_a_bucket_without_lifecycle_rules_is_no_doubt():
    assert doubts(S3(bucket="b"), s3=Bucket()) == []


class Table:
    def __init__(self, status, count):
        self.status, self.count = status, count

    def describe_time_to_live(self, **_):
        return {"TimeToLiveDescription": {"TimeToLiveStatus": self.status, "AttributeName": "goneAt"}}

    def get_paginator(self, _name):
        return self

    def paginate(self, **_):
        return [{"Count": self.count}, {"Count": 1}]


def test_items_that_expire_too_soon_are_counted():
    table = DynamoDb(table="t")
    assert doubts(table, dynamodb=Table("ENABLED", 2)) == ["3 items of table t expire by goneAt sooner than kept_for_hours says"]
    assert doubts(table, dynamodb=Table("DISABLED", 2)) == []
