"""One embedded LocalStack per worker, or one container for all of them; every test has an AWS account of its own in it."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.emulator.choose import choose_own
from harness.emulator.clients import Clients
from harness.emulator.emulator import Abilities, Description
from harness.emulator.faults import FaultClient
from harness.errors import UnknownVerdictError
from tests.conformance.functions import Functions
from tests.e2e.commands import KIND, pipeproof

_accounts = itertools.count(1)


_shared = pytest.StashKey()
# What these show of a pipeline does not depend on the emulator. In the container each system is run as it is and under faults.
_EMBEDDED_BY_DAY = ("-malformed]", "-chaos]", "-outage]", "-overwritten]", "-json]", "-decisions]", "-parallel]", "-healthy]")


def pytest_collection_modifyitems(items):
    if KIND != "container" or os.environ.get("PIPEPROOF_NIGHTLY"):
        return
    for item in items:
        if item.name.endswith(_EMBEDDED_BY_DAY) or item.get_closest_marker("nightly"):
            item.add_marker(pytest.mark.skip(reason="in the container by night: tox -e nightly"))


def started(log):
    emulator, _ = choose_own(KIND, log)
    for _ in emulator.prepare(node=True):
        pass
    return emulator, emulator.start()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """On pytest-xdist's controller, for each worker: tells it where the shared container is."""
    if KIND == "container":
        stash = node.config.stash
        if _shared not in stash:
            stash[_shared] = started(Path(tempfile.gettempdir(), f"pipeproof-e2e-{os.getpid()}.log"))
        node.workerinput["emulator"] = asdict(stash[_shared][1])


def pytest_unconfigure(config):
    if _shared in config.stash:
        config.stash[_shared][0].stop()


@pytest.fixture(scope="session")
def emulator(request, tmp_path_factory):
    given = getattr(request.config, "workerinput", {}).get("emulator")
    if given is not None:
        yield Description(**{**given, "abilities": Abilities(**given["abilities"])})
        return
    mine, description = started(tmp_path_factory.mktemp("emulator") / "emulator.log")
    yield description
    mine.stop()


@pytest.fixture(scope="session")
def large_file(tmp_path_factory):
    """300 MB that are no rows."""
    path = tmp_path_factory.mktemp("large") / "large.csv"
    with path.open("wb") as file:
        file.truncate(300_000_000)
    return path


def new_account():
    """One that no other test has, in whichever worker."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return f"{worker + 1:04d}{next(_accounts):08d}"


@pytest.fixture
def clients(emulator):
    return Clients(emulator.endpoint, account=new_account())


@pytest.fixture
def run(emulator):
    """`pipeproof run` or `replay` on the emulator that the tests share, in an account of its own: for what is not about emulators."""

    def run(cwd, command, *args):
        return pipeproof(cwd, command, *args, "--emulator", emulator.endpoint, "--account", new_account())

    return run


@pytest.fixture
def functions(clients, emulator):
    functions = Functions(clients, emulator.python_runtime)
    yield functions
    functions.delete()


@pytest.fixture
def gateway(clients):
    gateway = FaultClient(clients.endpoint, clients.account)
    yield gateway
    with contextlib.suppress(UnknownVerdictError):
        # Not every test arms something.
        gateway.disarm()
