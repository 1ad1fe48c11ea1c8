"""Patches of IAM."""

from __future__ import annotations

import copy
import functools
from typing import Any

from harness.inside.patches.declare import patch


@patch(
    "moto.iam.models",
    {"IAMBackend._init_aws_policies": ("self",), "Policy.__init__": ("self", "name", "account_id", "region", "default_version_id")},
)
def policies_of_aws(module: Any) -> None:
    """Moto reads AWS's own policies, 1,300 of them, for each account anew: a tenth of a second, and 4 MB that stay."""
    backend = module.IAMBackend
    original = backend._init_aws_policies  # noqa: SLF001

    @functools.cache
    def read(partition: str, _made: Any) -> tuple[Any, ...]:
        """Returns the policies of a partition, as those of no account, made as `_made` makes them: LocalStack patches that when it loads its IAM."""
        of_none = backend.__new__(backend)
        of_none.account_id, of_none.region_name = "", partition
        return tuple(original(of_none))

    @functools.wraps(original)
    def of_account(self: Any) -> list[Any]:
        policies = [copy.copy(policy) for policy in read(self.region_name, module.Policy.__init__)]
        for policy in policies:
            # What a request can change.
            policy.account_id, policy.versions, policy.tags = self.account_id, policy.versions[:], {}
        return policies

    backend._init_aws_policies = of_account  # noqa: SLF001


PATCHES = (policies_of_aws,)
