# ruff: noqa: SLF001 - the executor is LocalStack's, and this its end
"""A deployment as AWS ends it: what fails rolls back, what is to be retained stays, exports that are in use are kept.

LocalStack leaves what was created before a failure, deletes what a failed update would have removed, and calls every update a success.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html
"""

from __future__ import annotations

import copy
import logging
import threading
from typing import Any

from localstack.aws.api.cloudformation import ChangeAction, ResourceStatus, StackStatus
from localstack.services.cloudformation.engine.v2.change_set_model_executor import (
    ChangeSetModelExecutor,
    ChangeSetModelExecutorResult,
    TriggerRollback,
)
from localstack.services.cloudformation.engine.v2.change_set_model_preproc import PreprocProperties
from localstack.services.cloudformation.resource_provider import OperationStatus

LOG = logging.getLogger(__name__)


# How LocalStack names the change set of a deletion.
_DELETION = "delete-stack_"


class MissingExportError(ValueError):
    """A template imports a name that no stack exports."""


_RETAINED = {"Retain", "RetainExceptOnCreate", "Snapshot"}


def execute(self: ChangeSetModelExecutor) -> ChangeSetModelExecutorResult:
    """Replaces ChangeSetModelExecutor.execute. A deletion that is asked for during a deployment follows it."""
    stack = self._change_set.stack
    with stack.__dict__.setdefault("executes", threading.Lock()):
        is_deletion = self._change_set.change_set_name.startswith(_DELETION)
        if is_deletion and stack.status == StackStatus.DELETE_IN_PROGRESS:
            return _delete(self)
        if is_deletion or stack.status == StackStatus.DELETE_IN_PROGRESS:
            # Another deletion came before.
            return ChangeSetModelExecutorResult(resources={}, outputs=[], failure_message=None)
        result = _deploy(self)
        # LocalStack notes it too, but only when a deletion may have begun.
        stack.resolved_resources = result.resources
        return result


def _deploy(self: ChangeSetModelExecutor) -> ChangeSetModelExecutorResult:
    stack = self._change_set.stack
    creates = stack.status == StackStatus.CREATE_IN_PROGRESS
    stack.is_deploying = True
    reason = None
    try:
        self.process()
        _verify_exports(self)
    except TriggerRollback as failure:
        reason = failure.reason or "a resource failed"
    except Exception as failure:  # noqa: BLE001 - whatever a template or a resource fails with, the stack rolls back
        reason = str(failure)
    stack.is_deploying = False
    if reason is None:
        stack.imports = set(getattr(self, "imported", ()))
        _clean_up(self)
        return ChangeSetModelExecutorResult(resources=self.resources, outputs=self.outputs, failure_message=None)
    LOG.warning("Stack %s failed: %s", stack.stack_name, reason)
    return _failed(self, reason, creates=creates)


def set_stack_status(original: Any) -> Any:
    """Returns Stack.set_stack_status, which LocalStack also calls for each resource that fails, and after a roll back."""

    def changed(self: Any, status: StackStatus, reason: str | None = None) -> None:
        if getattr(self, "is_deploying", False) and not str(status).endswith("_IN_PROGRESS"):
            return
        if self.status == StackStatus.DELETE_IN_PROGRESS and not str(status).startswith("DELETE_"):
            return
        if str(status).endswith("_IN_PROGRESS"):
            self.settled = None
        if getattr(self, "settled", None) not in {None, status}:
            return
        original(self, status, reason)

    return changed


def _settle(stack: Any, status: StackStatus, reason: str | None = None) -> None:
    stack.settled = None
    stack.set_stack_status(status, reason)
    if stack.status == status:
        stack.settled = status


def _clean_up(executor: ChangeSetModelExecutor) -> None:
    """Deletes what the new template has not any more, but for what is to be retained."""
    deferred = executor._deferred_actions[::-1]
    if not deferred:
        return
    executor._change_set.stack.set_stack_status(StackStatus.UPDATE_COMPLETE_CLEANUP_IN_PROGRESS)
    for one in deferred:
        if _is_retained(executor, one.name):
            _skip(executor, one.name)
        else:
            one.action()


def _is_retained(executor: ChangeSetModelExecutor, name: str) -> bool:
    """Returns whether a deletion is kept from happening: by DeletionPolicy, or by UpdateReplacePolicy where it follows a replacement."""
    template = executor._change_set.stack.processed_template or executor._change_set.stack.template or {}
    policy = "DeletionPolicy"
    if name.startswith("cleanup-from-replacement-"):
        policy = "UpdateReplacePolicy"
        template = executor._change_set.processed_template or executor._change_set.template or template
    definition = template.get("Resources", {}).get(_logical_id(name)) or {}
    return definition.get(policy) in _RETAINED


def _logical_id(name: str) -> str:
    for prefix in ("cleanup-from-replacement-", "type-migration-", "remove-"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _skip(executor: ChangeSetModelExecutor, name: str) -> None:
    stack, logical_id = executor._change_set.stack, _logical_id(name)
    known = stack.resource_states.get(logical_id) or {}
    stack.set_resource_status(
        logical_resource_id=logical_id, physical_resource_id=known.get("PhysicalResourceId"),
        resource_type=known.get("ResourceType", ""), status=ResourceStatus.DELETE_SKIPPED,
    )  # fmt: skip


def _delete(executor: ChangeSetModelExecutor) -> ChangeSetModelExecutorResult:
    stack = executor._change_set.stack
    for name in stack.resolved_exports:
        importer = _importer(stack, name)
        if importer:
            _settle(stack, StackStatus.DELETE_FAILED, f"Delete canceled. Cannot delete export {name} as it is in use by {importer}")
            return ChangeSetModelExecutorResult(
                resources=stack.resolved_resources, outputs=stack.resolved_outputs, failure_message=name
            )
    template = stack.processed_template or stack.template or {}
    for name in reversed(list(stack.resolved_resources)):
        resource = stack.resolved_resources[name]
        if (template.get("Resources", {}).get(name) or {}).get("DeletionPolicy") in _RETAINED:
            _skip(executor, name)
        else:
            stack.set_resource_status(
                logical_resource_id=name, physical_resource_id=resource.get("PhysicalResourceId"), resource_type=resource["Type"],
                status=ResourceStatus.DELETE_IN_PROGRESS,
            )  # fmt: skip
            _is_removed(executor, name, resource)
    failed = [key for key, state in stack.resource_states.items() if state["ResourceStatus"] == ResourceStatus.DELETE_FAILED]
    if failed:
        _settle(stack, StackStatus.DELETE_FAILED, f"The following resource(s) failed to delete: [{', '.join(failed)}].")
    else:
        _settle(stack, StackStatus.DELETE_COMPLETE)
    return ChangeSetModelExecutorResult(resources=executor.resources, outputs=[], failure_message=None)


def _failed(executor: ChangeSetModelExecutor, reason: str, *, creates: bool) -> ChangeSetModelExecutorResult:
    change_set, stack = executor._change_set, executor._change_set.stack
    wanted = _on_failure(stack) if creates else ("DO_NOTHING" if getattr(stack, "keeps_failed_update", False) else "ROLLBACK")
    if wanted == "DO_NOTHING":
        _settle(stack, StackStatus.CREATE_FAILED if creates else StackStatus.UPDATE_FAILED, reason)
        return ChangeSetModelExecutorResult(resources=_deployed(executor), outputs=executor.outputs, failure_message=reason)
    begun, ended = (
        (StackStatus.ROLLBACK_IN_PROGRESS, StackStatus.ROLLBACK_COMPLETE)
        if creates
        else (StackStatus.UPDATE_ROLLBACK_IN_PROGRESS, StackStatus.UPDATE_ROLLBACK_COMPLETE)
    )
    if wanted == "DELETE":
        begun, ended = StackStatus.DELETE_IN_PROGRESS, StackStatus.DELETE_COMPLETE
    before = {} if creates else copy.deepcopy(stack.resolved_resources)
    stack.set_stack_status(begun, reason)
    stack.is_deploying = True
    try:
        undone = all([_undone(executor, name, before) for name in reversed(list(executor.resources))])  # noqa: C419 - all are undone
    finally:
        stack.is_deploying = False
    if not undone:
        ended = StackStatus.ROLLBACK_FAILED if creates else StackStatus.UPDATE_ROLLBACK_FAILED
    _settle(stack, ended, reason)
    if not creates:
        # What LocalStack takes for deployed is what was deployed before.
        change_set.template, change_set.template_body = stack.template, stack.template_body
        change_set.processed_template, change_set.resolved_parameters = stack.processed_template, stack.resolved_parameters
    exported = {value: name for name, value in stack.resolved_exports.items()}
    outputs = [] if creates else copy.deepcopy(stack.resolved_outputs)
    for output in outputs:
        if "ExportName" not in output and output["OutputValue"] in exported:
            output["ExportName"] = exported[output["OutputValue"]]
    return ChangeSetModelExecutorResult(resources=before, outputs=outputs, failure_message=reason)


def _on_failure(stack: Any) -> str:
    request = stack.request_payload
    if request.get("DisableRollback"):
        return "DO_NOTHING"
    return str(request.get("OnFailure") or "ROLLBACK")


def _deployed(executor: ChangeSetModelExecutor) -> dict[str, Any]:
    return {name: one for name, one in executor.resources.items() if one.get("ResourceStatus") != ResourceStatus.CREATE_FAILED}


def _undone(executor: ChangeSetModelExecutor, name: str, before: dict[str, Any]) -> bool:
    """Undoes what a deployment has done to one resource. Returns whether that succeeded."""
    now, then = executor.resources[name], before.get(name)
    is_made = now.get("ResourceStatus") not in {ResourceStatus.CREATE_FAILED, ResourceStatus.UPDATE_FAILED}
    if then is None:
        return not is_made or _is_removed(executor, name, now)
    if then.get("PhysicalResourceId") != now.get("PhysicalResourceId") and is_made:
        return _is_removed(executor, name, now)
    if then.get("Properties") == now.get("Properties"):
        return True
    event = executor._execute_resource_action(
        action=ChangeAction.Modify, logical_resource_id=name, resource_type=then["Type"],
        before_properties=PreprocProperties(properties=now.get("Properties") or {}),
        after_properties=PreprocProperties(properties=then.get("Properties") or {}),
    )  # fmt: skip
    _tell(executor, name, then, "UPDATE", event)
    return bool(event.status == OperationStatus.SUCCESS)


def _is_removed(executor: ChangeSetModelExecutor, name: str, resource: Any) -> bool:
    template = executor._change_set.processed_template or executor._change_set.template or {}
    if (template.get("Resources", {}).get(name) or {}).get("DeletionPolicy") == "Retain":
        return True
    event = executor._execute_resource_action(
        action=ChangeAction.Remove, logical_resource_id=name, resource_type=resource["Type"],
        before_properties=PreprocProperties(properties=resource.get("Properties") or {}), after_properties=None, part_of_replacement=True,
    )  # fmt: skip
    _tell(executor, name, resource, "DELETE", event)
    return bool(event.status == OperationStatus.SUCCESS)


def _tell(executor: ChangeSetModelExecutor, name: str, resource: Any, what: str, event: Any) -> None:
    stack = executor._change_set.stack
    succeeded = event.status == OperationStatus.SUCCESS
    if succeeded and what == "DELETE" and name not in stack.resource_states:
        return
    stack.set_resource_status(
        logical_resource_id=name, physical_resource_id=resource.get("PhysicalResourceId"), resource_type=resource["Type"],
        status=ResourceStatus(f"{what}_{'COMPLETE' if succeeded else 'FAILED'}"), resource_status_reason=event.message or None,
    )  # fmt: skip


# Exports.


def _others(stack: Any) -> list[Any]:
    # Where it is from differs between LocalStacks; the provider has it in all of them, but is being imported when this module is.
    from localstack.services.cloudformation.v2.provider import get_cloudformation_store  # noqa: PLC0415

    store = get_cloudformation_store(stack.account_id, stack.region_name)
    return [one for one in store.stacks_v2.values() if one.stack_id != stack.stack_id and one.status != StackStatus.DELETE_COMPLETE]


def _importer(stack: Any, name: str) -> str:
    """Returns the name of a stack that imports an export, or ""."""
    return next((one.stack_name for one in _others(stack) if name in getattr(one, "imports", ())), "")


def _verify_exports(executor: ChangeSetModelExecutor) -> None:
    """Raises ValueError where another stack exports one of the names, or imports one that is not exported any more or has another value."""
    stack = executor._change_set.stack
    values = {output["ExportName"]: output["OutputValue"] for output in executor.outputs if output.get("ExportName")}
    names = values.keys()
    for other in _others(stack):
        for name in names & other.resolved_exports.keys():
            raise ValueError(
                f"Export with name {name} is already exported by stack {other.stack_name}. Rollback requested by user."
            )
    for name in stack.resolved_exports.keys() - names:
        if importer := _importer(stack, name):
            raise ValueError(f"Export {name} cannot be deleted as it is in use by {importer}")
    for name, value in stack.resolved_exports.items():
        if values.get(name, value) != value and (importer := _importer(stack, name)):
            raise ValueError(f"Export {name} cannot be updated as it is in use by {importer}")


def import_value(original: Any) -> Any:
    """Returns the visitor of Fn::ImportValue, which notes what is imported, and fails where nothing is exported under the name."""

    def visited(self: Any, node_intrinsic_function: Any) -> Any:
        delta = original(self, node_intrinsic_function)
        name = self.visit(node_intrinsic_function.arguments).after
        if isinstance(name, str):
            if isinstance(self, ChangeSetModelExecutor) and not isinstance(delta.after, str):
                raise MissingExportError(f"No export named {name} found.")
            self.imported = {*getattr(self, "imported", ()), name}
        return delta

    return visited
