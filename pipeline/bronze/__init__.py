"""Bronze: events by Kinesis and Firehose into Parquet, as they were received."""
