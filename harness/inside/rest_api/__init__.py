"""What LocalStack's REST APIs lack: authorizers, throttling and quotas."""
