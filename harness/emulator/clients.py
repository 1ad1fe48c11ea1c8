"""The one factory of boto3 clients. They are imported with the first: an emulator can be launched before that."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3
    from botocore.credentials import Credentials

DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"
_DUMMY = "dummy"


@dataclass(frozen=True)
class Clients:
    """Clients for one endpoint, account and region. Credentials are dummies: the access key id is the account id, which is how
    LocalStack tells accounts apart.

    With `aws` they are for AWS, with the user's own credentials; a server at `endpoint`, where there is one, is taken for it."""

    endpoint: str
    account: str = DEFAULT_ACCOUNT
    region: str = DEFAULT_REGION
    aws: bool = False

    def __call__(self, service: str, *, retries: bool = True) -> Any:
        """Returns a client, one per service: boto3 clients are safe to share between threads. Without `retries` every request is made once,
        for callers to whom a repeated request is not the same as one."""
        with _making:
            of_these = _made[self] = _made.pop(self, {})
            if (service, retries) not in of_these:
                of_these[service, retries] = _client(self, service, retries=retries)
            made = of_these[service, retries]
            idle = next(iter(_made)) if len(_made) > _MOST_ACCOUNTS else None
        if idle is not None:
            idle.close()
        return made

    def credentials(self) -> Credentials:
        """Returns what requests are signed with that no client makes."""
        from botocore.credentials import Credentials  # noqa: PLC0415 - a fifth of a second, as everywhere here

        return _session().get_credentials() if self.aws else Credentials(self.account, _DUMMY)

    def close(self) -> None:
        """Ends the connections of all clients that were made, and forgets them. One that is still used makes new connections."""
        with _making:
            of_these = _made.pop(self, {})
        for client in of_these.values():
            client.close()


def _client(clients: Clients, service: str, *, retries: bool) -> Any:
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        s3={"addressing_style": "path" if clients.endpoint else "auto"},
        # Newer defaults add checksums that other emulators do not know.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # A loopback address has no names below it, such as the sync-… of Step Functions.
        inject_host_prefix=not clients.endpoint,
        retries={"mode": "standard", "total_max_attempts": 5 if retries else 1},
        max_pool_connections=32,
        connect_timeout=5,
        read_timeout=60,
    )
    if clients.aws:
        # One server alone is asked, whatever a variable or a profile names: who answers whose the account is must be who makes things there.
        alone = config.merge(Config(ignore_configured_endpoint_urls=True))
        return _session().client(service, region_name=clients.region, endpoint_url=clients.endpoint or None, config=alone)
    return _session().client(
        service, region_name=clients.region, endpoint_url=clients.endpoint, config=config,
        aws_access_key_id=clients.account, aws_secret_access_key=_DUMMY,
    )  # fmt: skip


_MOST_ACCOUNTS = 32
# The accounts in the order in which they were last asked for.
_made: dict[Clients, dict[tuple[str, bool], Any]] = {}
_making = threading.Lock()
"""Sessions are not safe to share between threads, unlike the clients that they make."""


@functools.cache
def _session() -> boto3.session.Session:
    """Returns the only session: each has the descriptions of the services for itself, some ten megabytes apiece."""
    import boto3  # noqa: PLC0415

    return boto3.session.Session()
