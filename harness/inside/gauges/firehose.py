"""Firehose: records in buffers, and records of a source that are not there yet."""

from __future__ import annotations

from harness.inside.gauges.gauge import Level, loaded


def gauge(account: str | None) -> Level:
    """Returns {buffers: [{stream, records, due_s}]}; `due_s` is how long the oldest record may still wait."""
    delivery = loaded("harness.inside.firehose.delivery")
    if delivery is None:
        return Level(busy=False, entries={"buffers": []})
    provider = loaded("harness.inside.firehose.provider")
    behind = sum(reader.behind() for reader in provider.readers(account)) if provider else 0
    buffers = [
        {"stream": one.name, "records": one.waiting(), "due_s": round(one.due_in_s(), 3)}
        for one in delivery.live_deliveries(account)
    ]
    return Level(
        bool(behind) or any(buffer["records"] for buffer in buffers), entries={"buffers": buffers, "source_records": behind}
    )
