"""What event source mappings on Kinesis streams and on DynamoDB streams have in common: an ordered log, consumers, checkpoints and windows."""
