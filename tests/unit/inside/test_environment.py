"""What an execution environment takes for a time-out."""

from __future__ import annotations

import ctypes
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.inside.callers import Caller
from harness.inside.lambda_.environment import Environment, Limits
from harness.inside.lambda_.runtime_api import Invocation

RUNTIME = """
import os, time, urllib.request

invocation = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{invocation}/next") as event:
        request_id, seconds = event.headers["Lambda-Runtime-Aws-Request-Id"], float(event.read())
    time.sleep(seconds)
    urllib.request.urlopen(f"{invocation}/{request_id}/response", data=b"done")
"""


@pytest.fixture
def environment(tmp_path):
    python = [Path(sys.prefix), Path(sys.base_prefix)]
    environment = Environment([sys.executable, "-c", RUNTIME], {}, tmp_path, Limits(timeout_s=2, memory_mb=512), python)
    environment.start()
    yield environment
    environment.stop()


def invoke(environment, seconds):
    invocation = Invocation("id", str(seconds).encode(), "arn", "trace", 0)
    return environment.invoke(invocation, "1", [], Caller("f", "id")).reply


def test_time_in_which_the_emulator_stood_still_is_not_the_functions(environment):
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(invoke, environment, 3.3)
        while environment._api.taken_at is None:
            assert not reply.done(), reply.result()
            time.sleep(0.01)
        # A call by PyDLL keeps the interpreter's lock: no other thread runs.
        ctypes.PyDLL(None).sleep(3)
        assert reply.result(timeout=30).payload == b"done"


def test_a_handler_that_takes_longer_than_its_time_has_timed_out(environment):
    reply = invoke(environment, 60)
    assert reply.is_error
    assert b"Task timed out after 2.00 seconds" in reply.payload
