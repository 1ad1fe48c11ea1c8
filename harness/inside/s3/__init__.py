"""S3: SelectObjectContent."""
