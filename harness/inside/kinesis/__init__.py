"""Kinesis in process."""
