"""SQS: event source mappings on queues."""
