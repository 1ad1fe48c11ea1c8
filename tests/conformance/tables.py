"""The table `t` with one key, `id`: what is in it, and calls that are refused."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


def item(key, **more):
    return {"id": {"S": key}, **more}


def items(client):
    return {found["id"]["S"]: found for found in client.scan(TableName="t", ConsistentRead=True)["Items"]}


def refused(call, *args, **kwargs):
    """Code and message of a call that fails."""
    with pytest.raises(ClientError) as error:
        call(*args, **kwargs)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]
