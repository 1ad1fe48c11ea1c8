"""When a mapping on a stream only tries again what it never gives up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.inside.streams.mapping import StreamMapping

UNBOUNDED = {"MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": -1}


@pytest.mark.parametrize(
    ("attempts", "parameters", "expected"),
    [
        ({("shard", 1): 5}, UNBOUNDED, True),
        ({("shard", 1): 9, ("shard", 2): 5, ("another", 3): 0}, {}, True),
        ({}, UNBOUNDED, False),
        ({("another", 3): 7}, UNBOUNDED, False),
        ({("shard", 1): 4}, UNBOUNDED, False),
        ({("shard", 1): 9, ("shard", 2): 4}, UNBOUNDED, False),
        ({("shard", 1): 9, ("shard", 2): 9, ("shard", 3): 9}, UNBOUNDED, False),
        ({("shard", 1): 9}, {**UNBOUNDED, "MaximumRetryAttempts": 100}, False),
        ({("shard", 1): 9}, {**UNBOUNDED, "MaximumRecordAgeInSeconds": 60}, False),
    ],
    ids=[
        "it is",
        "all consumers",
        "no batch",
        "another shard",
        "too few",
        "one may go on",
        "one has no batch",
        "bounded attempts",
        "bounded age",
    ],
)
def test_a_shard_is_tried_again_for_ever_where_all_its_consumers_are_and_nothing_bounds_them(attempts, parameters, expected):
    lanes = len([shard for shard, _ in attempts if shard == "shard"])
    consumers = {("shard", lane): None for lane in range(lanes + (lanes == 3))} | {("another", 0): None}
    mapping = SimpleNamespace(_attempts=attempts, stream_parameters=parameters, _consumers=consumers)
    assert StreamMapping.is_endless(mapping, "shard") is expected
