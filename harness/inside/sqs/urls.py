"""Queue URLs, for services that know a queue by its ARN. AWS's services do not call GetQueueUrl, so their roles need no permission for it."""

from __future__ import annotations


def url_of(arn: str) -> str:
    """Returns the URL of a queue. LocalStack reads region, account and name from its path."""
    _, _, _, region, account, name = arn.split(":")
    return f"http://localhost/queue/{region}/{account}/{name}"
