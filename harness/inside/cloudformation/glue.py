"""Databases and tables of Glue's catalogue in templates, which LocalStack's free edition has not.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Glue.html
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from botocore.exceptions import ClientError, ParamValidationError
from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
)


class _Resource(ResourceProvider):  # type: ignore[misc]
    """A resource whose properties are in INPUT. `Ref` returns its name."""

    INPUT: ClassVar[str]
    VERBS: ClassVar[str]
    PARAMETERS: ClassVar[Any]

    def create(self, request: Any) -> ProgressEvent:
        model = dict(request.desired_state)
        given = dict(model.get(self.INPUT) or {})
        # The catalogue has names in lower case.
        name = given.get("Name") or re.sub(r"[^A-Za-z0-9_]", "_", f"{request.stack_name}_{request.logical_resource_id}")
        model[self.INPUT] = {**given, "Name": str(name).lower()}
        return self._done(request, {**model, "Id": model[self.INPUT]["Name"]}, "create")

    def update(self, request: Any) -> ProgressEvent:
        model = dict(request.desired_state)
        name = request.previous_state["Id"]
        return self._done(request, {**model, self.INPUT: {**model[self.INPUT], "Name": name}, "Id": name}, "update")

    def delete(self, request: Any) -> ProgressEvent:
        return self._done(request, dict(request.previous_state or request.desired_state), "delete")

    def _done(self, request: Any, model: dict[str, Any], verb: str) -> ProgressEvent:
        glue = request.aws_client_factory.glue
        try:
            getattr(glue, f"{verb}_{self.VERBS}")(**self.PARAMETERS(model, verb))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if verb != "delete" or code != "EntityNotFoundException":
                return ProgressEvent(status=OperationStatus.FAILED, resource_model=model, message=str(error), error_code=code)
        except ParamValidationError as error:
            return ProgressEvent(
                status=OperationStatus.FAILED, resource_model=model, message=str(error), error_code="InvalidRequest"
            )
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={} if verb == "delete" else model)


def _of_database(model: dict[str, Any], verb: str) -> dict[str, Any]:
    named = {"Name": model["Id"]} if verb != "create" else {}
    return named | ({"DatabaseInput": model["DatabaseInput"]} if verb != "delete" else {})


def _of_table(model: dict[str, Any], verb: str) -> dict[str, Any]:
    named = {"Name": model["Id"]} if verb == "delete" else {"TableInput": model["TableInput"]}
    return {"DatabaseName": model["DatabaseName"], **named}


class Database(_Resource):
    TYPE, INPUT, VERBS = "AWS::Glue::Database", "DatabaseInput", "database"
    SCHEMA: ClassVar[dict[str, Any]] = {"primaryIdentifier": ["/properties/Id"], "properties": {}}
    PARAMETERS = staticmethod(_of_database)


class Table(_Resource):
    TYPE, INPUT, VERBS = "AWS::Glue::Table", "TableInput", "table"
    SCHEMA: ClassVar[dict[str, Any]] = {"primaryIdentifier": ["/properties/Id"], "properties": {}}
    PARAMETERS = staticmethod(_of_table)


class DatabasePlugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    name = Database.TYPE

    def __init__(self) -> None:
        self.factory: type[ResourceProvider] | None = None

    def load(self) -> None:
        self.factory = Database


class TablePlugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    name = Table.TYPE

    def __init__(self) -> None:
        self.factory: type[ResourceProvider] | None = None

    def load(self) -> None:
        self.factory = Table
