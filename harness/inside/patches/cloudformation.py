"""Patches of CloudFormation."""

from __future__ import annotations

import functools
from typing import Any

from harness.inside.patches.alone import one_at_a_time
from harness.inside.patches.declare import patch

DEPLOY_POLL_S = 0.1


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
    {"apply_serverless_transformation": ("account_id", "region_name", "parsed_template", "template_parameters")},
)
def sam(module: Any) -> None:
    """A SAM template is transformed with the region in this process's environment, and a transform that ends removes it for the others."""
    module.apply_serverless_transformation = one_at_a_time(module.apply_serverless_transformation)


@patch(
    "localstack.services.cloudformation.engine.v2.change_set_model_transform",
    {"ChangeSetModelTransform._apply_global_serverless_transformation": ("region_name", "template", "parameters")},
)
def sam_of_change_sets(module: Any) -> None:
    """The CloudFormation of LocalStack 4.10 and later transforms SAM templates here, with the region in this process's environment."""
    transform = module.ChangeSetModelTransform
    transform._apply_global_serverless_transformation = staticmethod(  # noqa: SLF001
        one_at_a_time(transform._apply_global_serverless_transformation)  # noqa: SLF001
    )


PATCHES = (deploy_poll, sam, sam_of_change_sets)
