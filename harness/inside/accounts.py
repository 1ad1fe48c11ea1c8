"""/_pipeproof/accounts?account=…: GET tells whether the account has been used, DELETE forgets all that LocalStack keeps of it: deleted stacks stay listed, log
groups too, and each account has AWS's thousand managed policies for itself."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import sys
import threading
from typing import TYPE_CHECKING, Any

from localstack.aws.connect import ClientFactory
from localstack.http import Response, route
from localstack.services.stores import AccountRegionBundle
from localstack.utils.threads import TMP_THREADS
from moto.core.base_backend import AccountSpecificBackend, BackendDict
from moto.core.models import responses_mock

from harness.inside import forgotten
from harness.inside.understood import understood

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack.http import Request

_MODULES = ("localstack.services.", "moto.")
_CLIENTS_OF_ACCOUNTS = 16
# A full search for garbage takes a third of a second, in which nothing else runs: a fifth of the processor's time where an account ends each second.
_GARBAGE_OF_ACCOUNTS = 8
_forgotten = itertools.count(1)
_one_at_a_time = threading.Lock()


@route("/_pipeproof/accounts", methods=["GET", "DELETE"])
@understood
def serve(request: Request) -> Response:
    """Answers {used}: whether LocalStack keeps anything of the account, after a DELETE too."""
    account = request.args.get("account", "")
    if not account:
        return Response.for_json({"error": "the query needs account=…, the 12 digits"}, status=400)
    if request.method == "DELETE":
        with _one_at_a_time:
            _forget(account)
    return Response.for_json({"used": any(dict.__contains__(kept, account) for kept in _kept())})


def _forget(account: str) -> None:
    for kept in _kept():
        # Whoever still works for the account has what it works with.
        dict.pop(kept, account, None)
        for owners in getattr(kept, "_universal", {}).values():
            # Which account owns a name, such as that of a bucket.
            for name in [name for name, owner in list(owners.items()) if owner == account] if isinstance(owners, dict) else ():
                owners.pop(name, None)
    forgotten.forget(account)
    number = next(_forgotten)
    _forget_caches(account, with_clients=number % _CLIENTS_OF_ACCOUNTS == 0)
    if number % _GARBAGE_OF_ACCOUNTS == 0:
        _give_back()


def _forget_caches(account: str, *, with_clients: bool) -> None:
    """Forgets what LocalStack and moto keep of an account beside its stores. Other accounts make anew what they still need."""
    # moto's: what was kept of the last 128 accounts.
    AccountSpecificBackend._generate_regions.cache_clear()  # noqa: SLF001 - moto has no other way
    # Its REST APIs, which LocalStack serves itself. While another is being made they stay until the next time.
    with contextlib.suppress(RuntimeError, ValueError):
        for one in responses_mock.registered():
            if getattr(getattr(getattr(one, "callback", None), "__self__", None), "account_id", None) == account:
                responses_mock.remove(one)
    # LocalStack's: all threads that it has ever started, and
    TMP_THREADS[:] = [one for one in TMP_THREADS if not _has_ended(one)]
    # its clients, some of each account, of which it would keep 256. They take a while to be made.
    if with_clients:
        ClientFactory._get_client.cache_clear()  # noqa: SLF001 - as above


def _has_ended(one: object) -> bool:
    # Servers are among them too, and threads that have not started yet.
    return isinstance(one, threading.Thread) and one.ident is not None and not one.is_alive()


def _give_back() -> None:
    """Gives memory that is free back to the machine: glibc keeps it, in as many arenas as there were threads."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _kept() -> Iterator[dict[str, Any]]:
    """Yields what services keep by account, of LocalStack and of moto: each is a variable of a module."""
    seen: set[int] = set()
    for name, module in list(sys.modules.items()):
        if not name.startswith(_MODULES):
            continue
        for value in list(vars(module).values()):
            if isinstance(value, AccountRegionBundle | BackendDict) and id(value) not in seen:
                seen.add(id(value))
                yield value
