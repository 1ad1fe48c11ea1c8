"""The table of users: whose event is a user's first. Keyed by userId, with the id of the event that came first.

An event is of a new user if it is the one that the table names: the answer is the same however often a batch is retried.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.delivery.reads import read_items

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CONCURRENT_PUTS = 4


class Users:
    """Reads and claims first events. Remembers users it has seen: an entry never changes once it is there."""

    def __init__(self, dynamodb: Any, table: str, remember: int = 100_000) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._known: dict[str, str] = {}
        self._remember = remember
        self._pool = ThreadPoolExecutor(_CONCURRENT_PUTS, thread_name_prefix="users")

    def first_event_ids(self, firsts: Mapping[str, str]) -> dict[str, str]:
        """For each user, the id of the event that the table holds as their first.

        `firsts` maps users to their first event of this batch, which becomes the first of all for a user not yet known.
        Raises ItemsUnreadError where the table does not answer for all: the batch must be tried again."""
        unknown = [user for user in firsts if user not in self._known]
        found = self._read(unknown)
        missing = [user for user in unknown if user not in found]
        for user, event_id in self._pool.map(lambda user: (user, self._claim(user, firsts[user])), missing):
            found[user] = event_id
        answer = {user: found.get(user) or self._known[user] for user in firsts}
        if len(self._known) + len(found) > self._remember:
            self._known.clear()
        self._known.update(found)
        return answer

    def _read(self, users: Sequence[str]) -> dict[str, str]:
        items = read_items(self._dynamodb, self._table, [{"userId": {"S": user}} for user in users], consistent=True)
        return {item["userId"]["S"]: item["firstEventId"]["S"] for item in items}

    def _claim(self, user: str, event_id: str) -> str:
        """Writes the user's first event unless another one is there; returns the one that is there."""
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item={"userId": {"S": user}, "firstEventId": {"S": event_id}},
                ConditionExpression="attribute_not_exists(userId)",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            answer = self._dynamodb.get_item(TableName=self._table, Key={"userId": {"S": user}}, ConsistentRead=True)
            return str(answer["Item"]["firstEventId"]["S"])
        return event_id
