"""Purchases: S3 Select picks the large ones out of files of CSV or JSON lines."""
