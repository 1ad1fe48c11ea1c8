"""Patches of what CloudFormation makes of a template: its transforms, parameters and intrinsic functions, and what it refuses."""

from __future__ import annotations

import functools
import os
from types import SimpleNamespace
from typing import Any

from harness.inside.patches.alone import one_at_a_time
from harness.inside.patches.declare import NAME, patch

_REGION = "AWS_DEFAULT_REGION"
# LocalStack puts the values of Fn::Sub in one after the other: what stands for itself must not look like a name meanwhile.
_DOLLAR = "\x01"


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
    "localstack.services.cloudformation.engine.v2.change_set_model_preproc",
    {
        "ChangeSetModelPreproc._resolve_mapping": ("self", "map_name", "top_level_key", "second_level_key"),
        "PreprocEntityDelta": NAME,
        "ValidationError": NAME,
    },
)
def mapping_defaults(module: Any) -> None:
    """LocalStack fails on the DefaultValue of Fn::FindInMap, which AWS::LanguageExtensions adds."""
    preproc = module.ChangeSetModelPreproc
    resolve = preproc._resolve_mapping  # noqa: SLF001

    def resolved(self: Any, map_name: str, top_level_key: str, second_level_key: str, *options: Any) -> Any:
        try:
            return resolve(self, map_name, top_level_key, second_level_key)
        except module.ValidationError:
            for option in options:
                if isinstance(option, dict) and "DefaultValue" in option:
                    return module.PreprocEntityDelta(before=option["DefaultValue"], after=option["DefaultValue"])
            raise

    preproc._resolve_mapping = resolved  # noqa: SLF001


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
    # A copy of all that was resolved, which is a tenth of a deployment, for another validation of the same template. There is none.
    module.ChangeSetModelValidator._save_runtime_cache = lambda _self: None  # noqa: SLF001


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
            verified(request)
            stacks = module.get_cloudformation_store(context.account_id, context.region).stacks_v2
            before = set(stacks)
            try:
                return create(self, context, request)
            except Exception:
                for arn in [
                    arn for arn, stack in stacks.items() if stack.stack_name == request.get("StackName") and arn not in before
                ]:
                    del stacks[arn]
                raise

        return created

    provider = module.CloudformationProviderV2
    provider.create_stack, provider.create_change_set = undone(provider.create_stack), undone(provider.create_change_set)


@patch(
    "localstack.services.cloudformation.engine.v2.change_set_model",
    {
        "ChangeSetModel._visit_resource": ("self", "scope", "resource_name", "before_resource", "after_resource"),
        "ChangeType": NAME,
        "is_nothing": NAME,
    },
)
def changed_resources(module: Any) -> None:
    """LocalStack creates a resource again that gets its first property, and deletes one that loses its last."""
    model = module.ChangeSetModel
    visit = model._visit_resource  # noqa: SLF001
    added_or_removed = {module.ChangeType.CREATED, module.ChangeType.REMOVED}

    def visited(self: Any, scope: Any, resource_name: str, before_resource: Any, after_resource: Any) -> Any:
        node = visit(self, scope, resource_name, before_resource, after_resource)
        if not module.is_nothing(before_resource) and not module.is_nothing(after_resource):
            for one in (node, node.properties):
                if one.change_type in added_or_removed:
                    one.change_type = module.ChangeType.MODIFIED
        return node

    model._visit_resource = visited  # noqa: SLF001


@patch(
    "localstack.services.cloudformation.engine.v2.change_set_model_preproc",
    {"ChangeSetModelPreproc.visit_node_resource": ("self", "node_resource"), "is_nothing": NAME},
)
def replacements(module: Any) -> None:
    """LocalStack replaces a resource where a property that only creation sets is written otherwise or names a resource that has changed, and
    not where it is added or removed. What counts is whether its value is another."""
    preproc = module.ChangeSetModelPreproc
    visit = preproc.visit_node_resource

    def visited(self: Any, node_resource: Any) -> Any:
        from harness.inside.cloudformation.updates import needs_replacement  # noqa: PLC0415

        delta = visit(self, node_resource)
        if not module.is_nothing(delta.before) and not module.is_nothing(delta.after):
            before, after = (
                {} if module.is_nothing(one.properties) else one.properties.properties for one in (delta.before, delta.after)
            )
            delta.after.requires_replacement = needs_replacement(delta.after.resource_type, before, after)
        return delta

    preproc.visit_node_resource = visited


@patch(
    "localstack.services.cloudformation.engine.v2.change_set_model_transform",
    {"ChangeSetModelTransform.visit_node_resource": ("self", "node_resource"), "PreprocEntityDelta": NAME, "ValidationError": NAME},
)
def made_by_transforms(module: Any) -> None:
    """LocalStack resolves references before it runs the transform, so it refuses names that the transform makes, such as the stage of a SAM API. It resolves them
    again after the transform, and refuses unknown names then."""
    transform = module.ChangeSetModelTransform
    visit = transform.visit_node_resource

    def visited(self: Any, node_resource: Any) -> Any:
        try:
            return visit(self, node_resource)
        except module.ValidationError as error:
            if "Unresolved resource dependencies" not in str(error):
                raise
            return module.PreprocEntityDelta()

    transform.visit_node_resource = visited


PATCHES = (
    sam,
    sam_of_change_sets,
    made_by_transforms,
    literals,
    typed_parameters,
    mapping_defaults,
    requests,
    refused_stacks,
    changed_resources,
    replacements,
)
