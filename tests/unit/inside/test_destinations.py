"""What a table sends to a stream is sent again until the stream takes it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from harness.inside.dynamodb import destinations
from harness.inside.gauges.deliveries import DELIVERIES

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/changes"


def refused(code):
    return ClientError({"Error": {"Code": code}}, "PutRecord")


@pytest.fixture
def put(monkeypatch):
    """Returns what puts a record whose attempts end as given, and returns how many were made."""

    def put(*ends):
        left, attempts = list(ends), []

        def put_record(**record):
            attempts.append(record)
            if left:
                raise left.pop(0)

        monkeypatch.setattr(destinations, "kinesis_of", lambda _: SimpleNamespace(put_record=put_record))
        monkeypatch.setattr(destinations.time, "sleep", lambda _: None)
        DELIVERIES.enter("000000000000")
        destinations._put("000000000000", ARN, b"{}", "key")
        assert DELIVERIES.count("000000000000") == 0
        return len(attempts)

    return put


def test_a_put_that_is_refused_or_whose_answer_is_lost_is_made_again(put):
    assert put(refused("ProvisionedThroughputExceededException"), ReadTimeoutError(endpoint_url="kinesis")) == 3


def test_a_stream_that_is_gone_ends_the_record(put):
    assert put(refused("ResourceNotFoundException")) == 1
