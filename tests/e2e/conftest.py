"""One embedded LocalStack per worker; every test has an AWS account of its own in it."""

from __future__ import annotations

import base64
import itertools
import json
import os
from dataclasses import dataclass

import pytest

from harness.emulator.clients import Clients
from harness.emulator.embedded import Embedded
from tests.e2e.zips import zipped

_accounts = itertools.count(1)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory):
    embedded = Embedded(tmp_path_factory.mktemp("emulator") / "emulator.log")
    description = embedded.start()
    yield description
    embedded.stop()


@pytest.fixture
def clients(emulator):
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return Clients(emulator.endpoint, account=f"{worker + 1:04d}{next(_accounts):08d}")


@dataclass(frozen=True)
class Functions:
    """Creates Lambda functions from source text and invokes them."""

    clients: Clients
    runtime: str

    def create(self, name, source, *, handler="app.handler", runtime=None, files=None, **options):
        contents = {"app.py": source, **(files or {})}
        self.clients("lambda").create_function(
            FunctionName=name,
            Runtime=runtime or self.runtime,
            Role=f"arn:aws:iam::{self.clients.account}:role/test",
            Handler=handler,
            Code={"ZipFile": zipped(contents)},
            **options,
        )
        self.clients("lambda").get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return name

    def invoke(self, name, event=None):
        """The function error (or None), the decoded payload, and the log's tail."""
        answer = self.clients("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode(), LogType="Tail")
        log = base64.b64decode(answer.get("LogResult", "")).decode()
        return answer.get("FunctionError"), json.loads(answer["Payload"].read()), log


@pytest.fixture
def functions(clients, emulator):
    return Functions(clients, emulator.python_runtime)
