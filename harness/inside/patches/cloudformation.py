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
# LocalStack puts the values of Fn::Sub in one after the other: what stands for itself must not look like a name meanwhile.
_DOLLAR = "\x01"

# Of which only a deletion leads on.
_NEVER_UPDATED = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}


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
    "localstack.services.cloudformation.engine.v2.change_set_model_preproc",
    {"ChangeSetModelPreproc.visit_node_parameter": ("self", "node_parameter"), "PreprocEntityDelta": NAME, "is_nothing": NAME},
)
def typed_parameters(module: Any) -> None:
    """LocalStack makes a list or a number of a parameter's new value, but not of the value before: Fn::Join of it fails an update."""
    preproc = module.ChangeSetModelPreproc
    original = preproc.visit_node_parameter

    def visited(self: Any, node_parameter: Any) -> Any:
        delta, kind = original(self, node_parameter), self.visit(node_parameter.type_)
        kind = kind.before if module.is_nothing(kind.after) else kind.after

        def typed(value: Any) -> Any:
            if not isinstance(value, str):
                return value
            if kind == "CommaDelimitedList" or str(kind).startswith("List<"):
                return [item.strip() for item in value.split(",")]
            return module.to_number(value) if kind == "Number" and hasattr(module, "to_number") else value

        return module.PreprocEntityDelta(before=typed(delta.before), after=typed(delta.after))

    preproc.visit_node_parameter = visited


@patch(
    "localstack.services.cloudformation.engine.v2.change_set_model_preproc",
    {
        "ChangeSetModelPreproc._resolve_reference": ("self", "logical_id"),
        "ChangeSetModelPreproc._resolve_attribute": ("self", "arguments", "select_before"),
        "ChangeSetModelPreproc.visit_node_intrinsic_function_fn_sub": ("self", "node_intrinsic_function"),
        "PreprocEntityDelta": NAME,
    },
)
def literals(module: Any) -> None:
    """LocalStack takes ${!Literal} of Fn::Sub for a name. It stands for ${Literal}."""
    preproc = module.ChangeSetModelPreproc
    reference, attribute = preproc._resolve_reference, preproc._resolve_attribute  # noqa: SLF001

    def resolved(self: Any, logical_id: str) -> Any:
        if logical_id.startswith("!"):
            text = f"{_DOLLAR}{{{logical_id[1:]}}}"
            return module.PreprocEntityDelta(before=text, after=text)
        return reference(self, logical_id)

    def resolved_attribute(self: Any, arguments: Any, select_before: bool) -> Any:  # noqa: FBT001 - as LocalStack calls it
        if isinstance(arguments, str) and arguments.startswith("!"):
            return f"{_DOLLAR}{{{arguments[1:]}}}"
        return attribute(self, arguments, select_before)

    visit = preproc.visit_node_intrinsic_function_fn_sub

    def visited(self: Any, node_intrinsic_function: Any) -> Any:
        delta = visit(self, node_intrinsic_function)
        before, after = (one.replace(_DOLLAR, "$") if isinstance(one, str) else one for one in (delta.before, delta.after))
        return module.PreprocEntityDelta(before=before, after=after)

    preproc._resolve_reference, preproc._resolve_attribute = resolved, resolved_attribute  # noqa: SLF001
    preproc.visit_node_intrinsic_function_fn_sub = visited


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
    "localstack.services.cloudformation.engine.v2.change_set_model_validator",
    {"ChangeSetModelValidator.validate": ("self",)},
)
def requests(module: Any) -> None:
    """LocalStack looks neither at the bounds of parameters nor at capabilities."""
    validate = module.ChangeSetModelValidator.validate

    def verified(self: Any) -> None:
        from harness.inside.cloudformation.requests import verify  # noqa: PLC0415

        verify(self._change_set)
        validate(self)

    module.ChangeSetModelValidator.validate = verified


@patch(
    "localstack.services.cloudformation.v2.provider",
    {
        "CloudformationProviderV2.create_stack": ("self", "context", "request"),
        "CloudformationProviderV2.create_change_set": ("self", "context", "request"),
        "get_cloudformation_store": NAME,
        "api_utils": NAME,
        "template_preparer": NAME,
        "ValidationError": NAME,
    },
)
def refused_stacks(module: Any) -> None:
    """LocalStack finds out late, or not at all, what is wrong in a template, and keeps the stack of a request that it has refused: its name is taken."""

    def verified(request: Any) -> None:
        from harness.inside.cloudformation.templates import verify  # noqa: PLC0415

        if not request.get("TemplateBody") and not request.get("TemplateURL"):
            return
        text = module.api_utils.extract_template_body(request)
        try:
            template = module.template_preparer.parse_template(text)
        except Exception as error:
            raise module.ValidationError(f"Template format error: {error}") from error
        verify(template)

    def undone(create: Any) -> Any:
        @functools.wraps(create)
        def created(self: Any, context: Any, request: Any) -> Any:
            from localstack.aws.api import ServiceException  # noqa: PLC0415

            verified(request)
            stacks = module.get_cloudformation_store(context.account_id, context.region).stacks_v2
            before = set(stacks)
            try:
                return create(self, context, request)
            except ServiceException:
                for arn in [
                    arn for arn, stack in stacks.items() if stack.stack_name == request.get("StackName") and arn not in before
                ]:
                    del stacks[arn]
                raise

        return created

    provider = module.CloudformationProviderV2
    provider.create_stack, provider.create_change_set = undone(provider.create_stack), undone(provider.create_change_set)


@patch(
    "localstack.services.cloudformation.v2.provider",
    {
        "CloudformationProviderV2.create_stack": ("self", "context", "request"),
        "CloudformationProviderV2.update_stack": ("self", "context", "request"),
        "CloudformationProviderV2.delete_stack": ("self", "context", "stack_name"),
        "find_stack_v2": NAME,
        "ValidationError": NAME,
    },
)
def protected_stacks(module: Any) -> None:
    """LocalStack updates a stack whose creation was rolled back, and deletes one that is protected."""
    provider = module.CloudformationProviderV2
    create, update, delete = provider.create_stack, provider.update_stack, provider.delete_stack

    def found(context: Any, name: str) -> Any:
        return module.find_stack_v2(module.get_cloudformation_store(context.account_id, context.region), name)

    @functools.wraps(create)
    def created(self: Any, context: Any, request: Any) -> Any:
        answer = create(self, context, request)
        found(context, answer["StackId"]).enable_termination_protection = bool(request.get("EnableTerminationProtection"))
        return answer

    @functools.wraps(update)
    def updated(self: Any, context: Any, request: Any) -> Any:
        stack = found(context, request.get("StackName") or "")
        if stack is not None and stack.status in _NEVER_UPDATED:
            raise module.ValidationError(f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")
        return update(self, context, request)

    @functools.wraps(delete)
    def deleted(self: Any, context: Any, stack_name: str, *args: Any, **kwargs: Any) -> Any:
        stack = found(context, stack_name)
        if stack is not None and stack.enable_termination_protection:
            message = f"Stack [{stack.stack_name}] cannot be deleted while TerminationProtection is enabled"
            raise module.ValidationError(message)
        return delete(self, context, stack_name, *args, **kwargs)

    provider.create_stack, provider.update_stack, provider.delete_stack = created, updated, deleted


@patch(
    "localstack.services.kinesisfirehose.resource_providers.aws_kinesisfirehose_deliverystream",
    {"KinesisFirehoseDeliveryStreamProvider.create": ("self", "request"), "util": NAME},
)
def delivery_streams(module: Any) -> None:
    """LocalStack makes a name for a delivery stream that has none, and does not find the stream by it."""
    provider = module.KinesisFirehoseDeliveryStreamProvider
    create = provider.create

    def created(self: Any, request: Any) -> Any:
        model = request.desired_state
        if not model.get("DeliveryStreamName"):
            model["DeliveryStreamName"] = module.util.generate_default_name(request.stack_name, request.logical_resource_id)
        return create(self, request)

    provider.create = created


@patch("localstack.services.lambda_.resource_providers.aws_lambda_function", {"create_zip_file": NAME})
def inline_code(module: Any) -> None:
    """LocalStack packs the code that a template holds with `zip`, which a machine need not have."""

    def pack(directory: str, *, get_content: bool) -> bytes:
        assert get_content
        with tempfile.TemporaryDirectory() as scratch:
            return Path(shutil.make_archive(os.path.join(scratch, "code"), "zip", directory)).read_bytes()  # noqa: PTH118 - a string, as it takes

    module.create_zip_file = pack


PATCHES = (
    deploy_poll,
    sam,
    sam_of_change_sets,
    deployments,
    stack_statuses,
    imports,
    literals,
    typed_parameters,
    updates,
    requests,
    refused_stacks,
    protected_stacks,
    delivery_streams,
    inline_code,
)
