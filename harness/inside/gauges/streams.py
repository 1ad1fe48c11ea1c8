"""Streams of Kinesis and DynamoDB: records that an event source mapping has not finished with."""

from __future__ import annotations

from harness.inside.gauges.gauge import Level, loaded

_MAPPING = "harness.inside.streams.mapping"


def gauge(account: str | None) -> Level:
    """Returns {streams: [{stream, shard, mapping, behind, endless}]}; `endless` where the mapping tries a batch again and again, and never gives it up."""
    mapping_module = loaded(_MAPPING)
    streams = [
        {
            "stream": mapping.source_arn,
            "shard": shard_id,
            "mapping": mapping.esm_uuid,
            "behind": behind,
            "endless": mapping.is_endless(shard_id),
        }
        for mapping in (mapping_module.live_mappings() if mapping_module else ())
        if account in {None, mapping.source_arn.split(":")[4]}
        for shard_id, behind in mapping.behind()
    ]
    return Level(any(stream["behind"] for stream in streams), entries={"streams": streams})
