"""Patches of CloudFormation."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.inside.patches.alone import one_at_a_time
from harness.inside.patches.declare import NAME, patch

DEPLOY_POLL_S = 0.1
_REGION = "AWS_DEFAULT_REGION"


@patch(
    "localstack.services.cloudformation.resource_provider",
    {"ResourceProviderExecutor.deploy_loop": ("self", "resource_provider", "resource", "raw_payload", "max_timeout", "sleep_time")},
)
def deploy_poll(module: Any) -> None:
    """CloudFormation sleeps one to five seconds between two looks at a resource that is being created."""
    executor = module.ResourceProviderExecutor
    executor.deploy_loop = functools.partialmethod(executor.deploy_loop, sleep_time=DEPLOY_POLL_S)


@patch(
    "localstack.services.cloudformation.engine.transformers",
    {"apply_serverless_transformation": ("account_id", "region_name", "parsed_template", "template_parameters"), "os": NAME},
)
def sam(module: Any) -> None:
    """A SAM template is transformed with its region in this process's environment. A transform that ends removes it for the other
    transforms, and for whoever copies the environment at that moment."""
    _keep_the_region(module)
    original = module.apply_serverless_transformation

    def transform(account_id: str, region_name: str, *args: Any, **kwargs: Any) -> Any:
        os.environ[_REGION] = region_name
        return original(account_id, region_name, *args, **kwargs)

    module.apply_serverless_transformation = one_at_a_time(transform)


@patch(
    "localstack.services.cloudformation.engine.v2.change_set_model_transform",
    {"ChangeSetModelTransform._apply_global_serverless_transformation": ("region_name", "template", "parameters"), "os": NAME},
)
def sam_of_change_sets(module: Any) -> None:
    """The CloudFormation of LocalStack 4.10 and later transforms SAM templates here, with the region in this process's environment."""
    _keep_the_region(module)
    original = module.ChangeSetModelTransform._apply_global_serverless_transformation  # noqa: SLF001

    def transform(region_name: str, *args: Any, **kwargs: Any) -> Any:
        os.environ[_REGION] = region_name
        return original(region_name, *args, **kwargs)

    module.ChangeSetModelTransform._apply_global_serverless_transformation = staticmethod(one_at_a_time(transform))  # noqa: SLF001


def _keep_the_region(module: Any) -> None:
    """Gives the module a separate environment, from which it may remove the region."""
    module.os = SimpleNamespace(environ={})


@patch(
    "localstack.services.cloudformation.engine.v2.change_set_model_executor",
    {
        "ChangeSetModelExecutor.execute": ("self",),
        "ChangeSetModelExecutor._execute_resource_action": ("self", "action"),
        "TriggerRollback": NAME,
    },
)
def deployments(module: Any) -> None:
    """LocalStack does not roll back, and removes what a failed update would have removed."""

    def execute(self: Any) -> Any:
        # Imported later: it imports modules that are being imported now.
        from harness.inside.cloudformation import engine  # noqa: PLC0415

        return engine.execute(self)

    module.ChangeSetModelExecutor.execute = execute


@patch("localstack.services.cloudformation.v2.entities", {"Stack.set_stack_status": ("self", "status", "reason")})
def stack_statuses(module: Any) -> None:
    """LocalStack sets a stack's status with every resource that fails, and calls an update complete that was rolled back."""
    original = module.Stack.set_stack_status

    def changed(self: Any, status: Any, reason: Any = None) -> None:
        from harness.inside.cloudformation import engine  # noqa: PLC0415

        engine.set_stack_status(original)(self, status, reason)

    module.Stack.set_stack_status = changed


@patch(
    "localstack.services.cloudformation.engine.v2.change_set_model_preproc",
    {"ChangeSetModelPreproc.visit_node_intrinsic_function_fn_import_value": ("self", "node_intrinsic_function")},
)
def imports(module: Any) -> None:
    """LocalStack does not know which exports are in use."""
    preproc = module.ChangeSetModelPreproc
    original = preproc.visit_node_intrinsic_function_fn_import_value

    def visited(self: Any, node_intrinsic_function: Any) -> Any:
        from harness.inside.cloudformation import engine  # noqa: PLC0415

        return engine.import_value(original)(self, node_intrinsic_function)

    preproc.visit_node_intrinsic_function_fn_import_value = visited


@patch(
    "localstack.services.cloudformation.resource_provider",
    {"ResourceProviderExecutor.execute_action": ("self", "resource_provider", "raw_payload")},
)
def updates(module: Any) -> None:
    """Most of LocalStack's resource providers have no update, and report that it succeeded."""
    executor = module.ResourceProviderExecutor
    original = executor.execute_action

    def execute_action(self: Any, resource_provider: Any, raw_payload: Any) -> Any:
        from harness.inside.cloudformation import updates as ours  # noqa: PLC0415

        if raw_payload["action"] in {"Modify", "Dynamic"}:
            request = module.convert_payload(stack_name=self.stack_name, stack_id=self.stack_id, payload=raw_payload)
            event = ours.updated(resource_provider, request)
            if event is not None:
                return event
        return original(self, resource_provider, raw_payload)

    executor.execute_action = execute_action


@patch(
    "localstack.services.cloudformation.v2.provider",
    {
        "CloudformationProviderV2._resolve_parameters": (
            "template",
            "parameters",
            "account_id",
            "region_name",
            "before_parameters",
        ),
        "CloudformationProviderV2._setup_change_set_model": ("cls", "change_set", "before_template", "after_template"),
        "get_cloudformation_store": ("account_id", "region_name"),
    },
)
def requests(module: Any) -> None:
    """LocalStack does not look at the bounds of parameters and at capabilities, and keeps the stack of a request that it has refused."""
    provider = module.CloudformationProviderV2
    resolve = provider._resolve_parameters  # noqa: SLF001
    set_up = provider._setup_change_set_model.__func__  # noqa: SLF001

    def resolved(template: Any, parameters: Any, *args: Any, **kwargs: Any) -> Any:
        from harness.inside.cloudformation.requests import check_parameters  # noqa: PLC0415

        found = resolve(template, parameters, *args, **kwargs)
        check_parameters(template.get("Parameters") or {}, parameters or {}, found)
        return found

    def prepared(cls: Any, change_set: Any, *args: Any, **kwargs: Any) -> None:
        from localstack.aws.api import ServiceException  # noqa: PLC0415

        from harness.inside.cloudformation.requests import check_capabilities  # noqa: PLC0415

        stack = change_set.stack
        try:
            set_up(cls, change_set, *args, **kwargs)
            check_capabilities(change_set.processed_template or {}, stack.capabilities or [])
        except ServiceException:
            if stack.template is None:
                module.get_cloudformation_store(stack.account_id, stack.region_name).stacks_v2.pop(stack.stack_id, None)
            raise

    provider._resolve_parameters = staticmethod(resolved)  # noqa: SLF001
    provider._setup_change_set_model = classmethod(prepared)  # noqa: SLF001


@patch("localstack.services.lambda_.resource_providers.aws_lambda_function", {"create_zip_file": NAME})
def inline_code(module: Any) -> None:
    """LocalStack packs the code that a template holds with `zip`, which a machine need not have."""

    def pack(directory: str, *, get_content: bool) -> bytes:
        assert get_content
        with tempfile.TemporaryDirectory() as scratch:
            return Path(shutil.make_archive(os.path.join(scratch, "code"), "zip", directory)).read_bytes()  # noqa: PTH118 - a string, as it takes

    module.create_zip_file = pack


PATCHES = (deploy_poll, sam, sam_of_change_sets, deployments, stack_statuses, imports, updates, requests, inline_code)
