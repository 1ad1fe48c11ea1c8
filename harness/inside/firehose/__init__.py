"""Firehose: delivery streams to S3 with buffers, transformation, partitions, format conversion and backup."""
