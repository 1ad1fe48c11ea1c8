"""Patches of what all services use: sessions and threads."""

from __future__ import annotations

import functools
import sys
from typing import Any

from harness.inside.patches.declare import NAME, patch


@patch(
    "botocore.loaders",
    {
        "JSONFileLoader.load_file": ("self", "file_path"),
        "Loader.list_available_services": ("self", "type_name"),
        "Loader.search_paths": ("self",),
        "OrderedDict": NAME,
    },
)
def sessions(module: Any) -> None:
    """Every session reads the table of endpoints anew, and looks into the directories of all services: a tenth of a second each. LocalStack makes one for each
    store of an account."""
    loader = module.JSONFileLoader
    load_file = loader.load_file
    # All clients of a session share these tables unchanged: what one client writes there is what any other would write.
    of_tables = functools.cache(lambda path: load_file(loader(), path))

    def once(self: Any, path: str) -> Any:
        return of_tables(path) if path.endswith(("/endpoints", "/partitions")) else load_file(self, path)

    loader.load_file = once
    services, known = module.Loader.list_available_services, {}

    def listed(self: Any, type_name: str) -> list[str]:
        key = (*self.search_paths, type_name)
        if key not in known:
            known[key] = services(self, type_name)
        return list(known[key])

    module.Loader.list_available_services = listed
    # Every dictionary is in order now, and is read in half of the time.
    module.OrderedDict = dict


@patch("botocore.session", {"Session.get_available_regions": ("self", "service_name", "partition_name", "allow_non_regional")})
def regions(module: Any) -> None:
    """For the regions of a service, a session reads all that is known of it. LocalStack and Moto ask for them with a new session for each store of an account."""
    session = module.Session
    ask, known = session.get_available_regions, dict[tuple[str, str, bool], list[str]]()

    @functools.wraps(ask)
    def once(self: Any, service_name: str, partition_name: str = "aws", allow_non_regional: bool = False) -> list[str]:  # noqa: FBT001, FBT002 - as botocore has it
        key = (service_name, partition_name, allow_non_regional)
        if key not in known:
            known[key] = ask(self, *key)
        return list(known[key])

    session.get_available_regions = once


@patch("botocore.httpsession", {"URLLib3Session._get_ssl_context": ("self",), "create_urllib3_context": ("ssl_version",)})
def tls(module: Any) -> None:
    """Every client makes a context of TLS, which takes 10 ms. LocalStack's clients of itself speak without TLS, and it makes one for each service and account."""
    context = functools.cache(module.create_urllib3_context)
    module.URLLib3Session._get_ssl_context = lambda _self: context()  # noqa: SLF001


@patch("moto.core.responses", {"method_names_from_class": NAME})
def operations(module: Any) -> None:
    """Moto looks at each call which methods the class of its service has: a tenth of a millisecond, of the one that an item takes."""
    names = module.method_names_from_class
    module.method_names_from_class = functools.cache(lambda clazz: frozenset(names(clazz)))


@patch("localstack.utils.threads", {"TMP_THREADS": NAME})
def threads(module: Any) -> None:
    """LocalStack keeps each thread of a state machine until it ends itself: see harness/inside/threads.py."""
    from harness.inside.threads import RunningThreads  # noqa: PLC0415

    all_of_them, running = module.TMP_THREADS, RunningThreads(module.TMP_THREADS)
    # Modules that were loaded before have taken the name from there.
    for loaded in list(sys.modules.values()):
        if getattr(loaded, "__dict__", {}).get("TMP_THREADS") is all_of_them:
            vars(loaded)["TMP_THREADS"] = running


PATCHES = (sessions, regions, tls, operations, threads)
