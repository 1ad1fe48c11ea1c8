"""Patches of S3."""

from __future__ import annotations

import os
from typing import Any

from harness.inside.patches.declare import NAME, patch


@patch("localstack.services.s3.provider", {"DEFAULT_S3_TMP_DIR": NAME})
def objects(module: Any) -> None:
    """S3 keeps its objects in one directory for all LocalStacks of the machine, and leaves them there."""
    from localstack import config  # noqa: PLC0415

    # A string, as LocalStack has it.
    module.DEFAULT_S3_TMP_DIR = os.path.join(config.dirs.tmp, "s3-objects")  # noqa: PTH118


@patch("localstack.utils.aws.aws_stack", {"CACHE_S3_HOSTNAME_DNS_STATUS": NAME})
def hostname(module: Any) -> None:
    """LocalStack asks the internet's DNS for its host name, which takes ten seconds where there is no internet."""
    module.CACHE_S3_HOSTNAME_DNS_STATUS = False


@patch("localstack.services.s3.notifications", {"ThreadPoolExecutor": NAME})
def notifications(module: Any) -> None:
    """S3 sends notifications on background threads that nothing counts: a drain could not know of them."""
    from harness.inside.gauges.deliveries import CountedExecutor  # noqa: PLC0415

    module.ThreadPoolExecutor = CountedExecutor


PATCHES = (objects, hostname, notifications)
