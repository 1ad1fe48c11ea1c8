"""An account of AWS. Nothing is made there before the account and the region are those that the user has named."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from harness.emulator.clients import Clients
from harness.emulator.emulator import Description
from harness.emulator.external import require_endpoint
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.aws.served import ServedHere


class Aws:
    """The account and region, with the credentials that the SDK finds, and what serves APIs to pipelines there, where something does. With an `endpoint` another server is taken for AWS, and asked for nothing else.

    Raises UsageError for a region that there is not, and for an endpoint on another machine unless that is allowed."""

    stays = True

    def __init__(
        self, account: str, region: str, endpoint: str = "", served: ServedHere | None = None, *, allow_remote: bool = False
    ) -> None:
        try:
            session = boto3.session.Session()
            known = {
                one
                for partition in session.get_available_partitions()
                for one in session.get_available_regions("cloudformation", partition)
            }
        except BotoCoreError as error:
            raise UsageError(f"the configuration of AWS's SDK cannot be used: {error}") from error
        if region not in known:
            near = difflib.get_close_matches(region, known, n=3)
            raise UsageError(
                f"--region {region}: AWS has no such region" + (f"; did you mean {' or '.join(near)}?" if near else "")
            )
        self._account, self._region, self.served = account, region, served
        self._endpoint = require_endpoint(endpoint, allow_remote=allow_remote) if endpoint else ""

    def prepare(self, *, node: bool = False) -> Iterator[str]:  # noqa: ARG002 - AWS has Node.js
        """Does nothing: AWS is there."""
        yield from ()

    def start(self) -> Description:
        """Compares the account with that of the credentials. Raises UsageError where it is another one, and where AWS does not say."""
        clients = Clients(self._endpoint, self._account, self._region, aws=True)
        try:
            found = clients("sts").get_caller_identity()["Account"]
        except NoCredentialsError as error:
            raise UsageError("there are no AWS credentials: set AWS_PROFILE, or `aws configure` makes some") from error
        except (ClientError, BotoCoreError) as error:
            raise UsageError(f"AWS does not say whose credentials these are: {error}") from error
        if found != self._account:
            raise UsageError(f"these credentials are of account {found}, and --account says {self._account}: nothing was made")
        if self.served is not None:
            self.served.start()
        # Packages are built for this one, which AWS has too.
        runtime = f"python3.{sys.version_info.minor}"
        return Description("aws", "AWS", "", self._endpoint, runtime, aws=True, region=self._region)

    def release(self) -> None:
        """Does what `stop` does."""
        self.stop()

    def stop(self) -> None:
        """Serves no more. AWS stays."""
        if self.served is not None:
            self.served.stop()

    def check(self) -> None:
        """Does nothing: whatever AWS does not answer is told by who asked."""
