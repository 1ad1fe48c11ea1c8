"""Patches of CloudFormation."""

from __future__ import annotations

import functools
import os
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


PATCHES = (deploy_poll, sam, sam_of_change_sets)
