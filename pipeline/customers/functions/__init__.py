"""One thin handler per Lambda function."""
