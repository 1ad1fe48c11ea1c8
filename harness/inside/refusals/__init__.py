"""Requests that AWS refuses for what is in them, and LocalStack takes: one file per service, each with the checks of its operations."""
