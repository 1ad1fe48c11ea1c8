"""Applies the patches: each when LocalStack first loads its module. Refuses where one would not find what it expects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook

from harness.inside import kept
from harness.inside.patches import (
    apigateway,
    cloudformation,
    cloudwatch,
    dynamodb,
    ends_of_executions,
    errors_of_states,
    events,
    gateway,
    iam,
    jsonata,
    kinesis,
    lambda_,
    map_states,
    parsing,
    redrives,
    runtime,
    s3,
    sns,
    sqs,
    stepfunctions,
    templates,
)
from harness.inside.patches.declare import keep_definitions

if TYPE_CHECKING:
    from harness.inside.patches.declare import Patch

PATCHES: tuple[Patch, ...] = (
    *runtime.PATCHES,
    *gateway.PATCHES,
    *parsing.PATCHES,
    *apigateway.PATCHES,
    *cloudformation.PATCHES,
    *templates.PATCHES,
    *cloudwatch.PATCHES,
    *dynamodb.PATCHES,
    *events.PATCHES,
    *iam.PATCHES,
    *kinesis.PATCHES,
    *lambda_.PATCHES,
    *s3.PATCHES,
    *sns.PATCHES,
    *sqs.PATCHES,
    *map_states.PATCHES,
    *errors_of_states.PATCHES,
    *jsonata.PATCHES,
    *redrives.PATCHES,
    *ends_of_executions.PATCHES,
    *stepfunctions.PATCHES,
)
_applied: set[str] = set()
_registered: list[bool] = []


class PatchRefusedError(RuntimeError):
    """The installed LocalStack is not the one that the patches were written for."""


def verify() -> None:
    """Raises PatchRefusedError that names everything that a patch expects, or that services keep, and that is missing."""
    problems = [*(problem for patch in PATCHES for problem in patch.problems()), *kept.problems()]
    keep_definitions()
    if problems:
        raise PatchRefusedError(
            "pipeproof does not start this LocalStack, as its patches would not apply: " + "; ".join(problems)
            + ". Install a supported release: pip install 'pipeproof[embedded]'"
        )  # fmt: skip


def apply() -> None:
    """Patches the modules that are loaded, and the others once they are. Raises PatchRefusedError, and does nothing the second time."""
    if _registered:
        return
    verify()
    _registered.append(True)
    for patch in PATCHES:
        register_post_import_hook(_hook(patch), patch.module)


def states() -> list[dict[str, Any]]:
    """Returns {module, names, reason, state} of each patch; a patch is `waiting` until its module is loaded."""
    return [
        {
            "module": patch.module,
            "names": sorted(patch.expects),
            "reason": patch.reason,
            "state": "applied" if patch.module in _applied else "waiting",
        }
        for patch in PATCHES
    ]


def _hook(patch: Patch) -> Any:
    def applied(module: Any) -> None:
        patch.apply(module)
        _applied.add(patch.module)

    return applied
