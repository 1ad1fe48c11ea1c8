"""Patches of CloudFormation's stacks and resources; those of its templates are in templates.py."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from harness.inside.patches.declare import NAME, patch

DEPLOY_POLL_S = 0.03
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
    """LocalStack's resource providers leave properties out, most have no update and report that it succeeded, and they get a parameter's number as a text."""
    executor = module.ResourceProviderExecutor
    original = executor.execute_action

    def execute_action(self: Any, resource_provider: Any, raw_payload: Any) -> Any:
        from harness.inside.cloudformation import called, left_out  # noqa: PLC0415
        from harness.inside.cloudformation import updates as ours  # noqa: PLC0415
        from harness.inside.cloudformation.typed import typed  # noqa: PLC0415

        data, schema = raw_payload["requestData"], getattr(resource_provider, "SCHEMA", {})
        data["resourceProperties"] = typed(data["resourceProperties"], schema, schema)
        if raw_payload["action"] == "Add":
            data["resourceProperties"] = left_out.with_defaults(
                raw_payload["resourceType"], data["resourceProperties"], f"{self.stack_name}-{data['logicalResourceId']}"
            )
        provider = called.INSTEAD.get(raw_payload["resourceType"], lambda: resource_provider)()
        request = module.convert_payload(stack_name=self.stack_name, stack_id=self.stack_id, payload=raw_payload)
        if raw_payload["action"] in {"Modify", "Dynamic"}:
            event = ours.updated(provider, request)
            if event is not None:
                return event
        event = original(self, provider, raw_payload)
        if raw_payload["action"] == "Add" and event.status == module.OperationStatus.SUCCESS:
            left_out.complete(raw_payload["resourceType"], request.aws_client_factory, event.resource_model)
        return event

    executor.execute_action = execute_action


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


@patch("localstack.aws.api", {"RequestContext": NAME})
def ec2_types(_module: Any) -> None:
    """CloudFormation loads the types of EC2, a third of all that it loads, to annotate two variables."""
    from harness.inside.later import later  # noqa: PLC0415

    later("localstack.aws.api.ec2", {"AvailabilityZoneList": list, "DescribeAvailabilityZonesResult": dict})


@patch(
    "localstack.services.s3.resource_providers.aws_s3_bucket",
    {"S3BucketProvider._create_bucket_if_does_not_exist": ("self", "model", "region_name", "s3_client"), "ClientError": NAME},
)
def taken_buckets(module: Any) -> None:
    """LocalStack takes a bucket that is there before the stack for the stack's own, that of another account too, and deletes it with the stack. CloudFormation creates none
    whose name is taken."""
    provider = module.S3BucketProvider
    create = provider._create_bucket_if_does_not_exist  # noqa: SLF001 - LocalStack's

    @functools.wraps(create)
    def created(self: Any, model: Any, region_name: str, s3_client: Any) -> None:
        try:
            s3_client.head_bucket(Bucket=model["BucketName"])
        except module.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                create(self, model, region_name, s3_client)
                return
        message = f"{model['BucketName']} already exists"
        raise ValueError(message)

    provider._create_bucket_if_does_not_exist = created  # noqa: SLF001 - as above


PATCHES = (
    ec2_types,
    deploy_poll,
    deployments,
    stack_statuses,
    imports,
    updates,
    protected_stacks,
    delivery_streams,
    inline_code,
    taken_buckets,
)
