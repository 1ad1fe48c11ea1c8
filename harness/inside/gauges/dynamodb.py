"""DynamoDB: streams that event source mappings read. LocalStack does not tell how far a mapping is, so rest is never known there."""

from __future__ import annotations

from harness.inside.gauges.gauge import Level, stores

_LAMBDA = "localstack.services.lambda_.invocation.models"


def gauge(account: str | None) -> Level:
    """Returns {unknown: [ARNs of the streams]}; busy where there is any."""
    streams = [
        arn
        for store in stores(_LAMBDA, "lambda_stores", account)
        for mapping in list(store.event_source_mappings.values())
        if (arn := str(mapping.get("EventSourceArn"))).startswith("arn:aws:dynamodb:")
    ]
    return Level(bool(streams), entries={"unknown": streams})
