"""Finds the resource that a value of a template means, by a reference or by the resource's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.stack.values import references, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAMES = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::Serverless::SimpleTable": "TableName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::Kinesis::Stream": "Name",
}


class Names:
    """The names of a template's resources. Policies often say `arn:aws:s3:::${AWS::StackName}-data/*`, because a reference would make a circle."""

    def __init__(self, resources: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        own = {**values, "AWS::StackName": "stack"}
        self._resources = resources
        self._ids = {}
        for logical_id, resource in resources.items():
            if (key := _NAMES.get(resource["Type"])) is not None:
                name = text_of((resource.get("Properties") or {}).get(key), own) or f"<{logical_id}>"
                self._ids[name] = logical_id
        # What Fn::Sub has of a resource.
        self._values = {
            **own,
            **{logical_id: name for name, logical_id in self._ids.items()},
            **{f"{logical_id}.Arn": f"arn:aws:s3:::{name}" for name, logical_id in self._ids.items()},
        }

    def of(self, value: Any) -> set[str]:
        """Returns the logical ids that a value names."""
        found = {name for name in references(value) if name in self._resources}
        return found | {logical_id for text in self._texts(value) if (logical_id := self._id_in(text)) is not None}

    def keys(self, resource: Any) -> Iterator[tuple[str, str]]:
        """Yields the bucket and the prefix of the keys for each resource of a policy that means objects."""
        for text in self._texts(resource):
            name, _, key = text.rpartition(":::")[2].partition("/")
            if key and name in self._ids:
                yield self._ids[name], key.partition("*")[0]

    def _id_in(self, text: str) -> str | None:
        if text in self._ids:
            return self._ids[text]
        name = text.rpartition(":" if ":::" not in text else ":::")[2] if text.startswith("arn:") else ""
        return self._ids.get(name.partition("/")[0]) or self._ids.get(name.rpartition("/")[2])

    def _texts(self, value: Any) -> Iterator[str]:
        if (text := text_of(value, self._values)) is not None:
            yield text
        elif isinstance(value, list):
            for one in value:
                yield from self._texts(one)
        elif isinstance(value, dict):
            for inner in value.values():
                yield from self._texts(inner)
