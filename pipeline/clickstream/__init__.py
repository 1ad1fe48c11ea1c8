"""Clickstream: REST API -> Kinesis -> S3, with a dead-letter queue and alerts."""
