"""Logs: files of lines in a bucket, normalised line by line; lines that are malformed go to the dead-letter queue."""
