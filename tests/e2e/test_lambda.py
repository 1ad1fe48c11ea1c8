"""Functions in the process executor fail and succeed as on AWS. Messages and error types are those of the service."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from botocore.exceptions import ClientError

from harness.inside.lambda_.private_tmp import mounts
from tests.conformance.functions import wait_until, zipped
from tests.e2e.commands import KIND
from tests.e2e.gates import Gate

REQUEST_ID = r"[0-9a-f-]{36}"


def test_a_handler_that_sleeps_past_its_timeout_is_reported_with_aws_own_message(functions):
    functions.create("slow", "import time\ndef handler(event, context):\n    time.sleep(60)\n", Timeout=1)
    error, payload, log = functions.invoke("slow")
    assert error == "Unhandled"
    assert payload["errorType"] == "Sandbox.Timedout"
    assert re.fullmatch(rf"RequestId: {REQUEST_ID} Error: Task timed out after 1\.00 seconds", payload["errorMessage"])
    assert "Task timed out after 1.00 seconds" in log


def test_a_function_works_again_after_a_timeout(functions):
    functions.create("twice", "import time\ndef handler(event, context):\n    time.sleep(event)\n    return event\n", Timeout=1)
    assert functions.invoke("twice", 30)[0] == "Unhandled"
    assert functions.invoke("twice", 0)[:2] == (None, 0)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("os._exit(7)", "Runtime exited with error: exit status 7"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
    ],
)
def test_a_handler_that_ends_its_process_is_a_runtime_exit_error(functions, statement, reason):
    functions.create("ends", f"import os, sys\ndef handler(event, context):\n    {statement}\n")
    error, payload, _ = functions.invoke("ends")
    assert error == "Unhandled"
    assert payload["errorType"] == "Runtime.ExitError"
    assert re.fullmatch(rf"RequestId: {REQUEST_ID} Error: {reason}", payload["errorMessage"])


def test_a_handler_that_exceeds_its_memory_size_is_killed(functions):
    source = "def handler(event, context):\n    return len(bytearray(b'x' * (event << 20)))\n"
    functions.create("hungry", source, MemorySize=128, Timeout=30)
    assert functions.invoke("hungry", 8)[0] is None
    error, payload, log = functions.invoke("hungry", 300)
    assert error == "Unhandled"
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert int(re.search(r"Max Memory Used: (\d+) MB", log)[1]) > 128


@pytest.mark.parametrize("package", ["localstack", "harness", "duckdb", "pytest", "faker"])
def test_a_package_of_the_harness_environment_cannot_be_imported(functions, package):
    functions.create("imports", f"import {package}\ndef handler(event, context):\n    return 1\n")
    error, payload, _ = functions.invoke("imports")
    assert error == "Unhandled"
    assert payload["errorType"] == "Runtime.ImportModuleError"
    assert payload["errorMessage"] == f"Unable to import module 'app': No module named '{package}'"


def test_a_handler_finds_boto3_and_its_own_zip(functions):
    source = "import boto3, extra\ndef handler(event, context):\n    return [boto3.__name__, extra.VALUE]\n"
    functions.create("finds", source, files={"extra.py": "VALUE = 7\n"})
    assert functions.invoke("finds")[1] == ["boto3", 7]


def test_functions_of_the_same_package_share_its_code_and_one_outlives_the_other(functions, clients):
    source = "import os\ndef handler(event, context):\n    return os.environ['LAMBDA_TASK_ROOT']\n"
    functions.create("first", source)
    functions.create("second", source)
    root = functions.invoke("first")[1]
    clients("lambda").delete_function(FunctionName="first")
    functions.created.remove("first")
    assert functions.invoke("second")[1] == root


def test_an_exception_of_the_handler_is_returned_with_type_message_and_trace(functions):
    functions.create("raises", "def handler(event, context):\n    raise ValueError('no such thing')\n")
    error, payload, _ = functions.invoke("raises")
    assert error == "Unhandled"
    assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "no such thing")
    assert "line 2, in handler" in payload["stackTrace"][0]


def test_an_init_that_raises_is_reported_with_its_type(functions):
    functions.create("init", "raise RuntimeError('at import')\ndef handler(event, context):\n    return 1\n")
    error, payload, _ = functions.invoke("init")
    assert error == "Unhandled"
    assert payload["errorMessage"] == "at import"


def test_an_init_that_exits_is_a_runtime_exit_error(functions):
    functions.create("exits", "import sys\nsys.exit(4)\n")
    assert functions.invoke("exits")[1]["errorMessage"].endswith("exit status 4")


def test_a_payload_of_almost_6_mb_goes_in_and_out_and_a_larger_one_is_refused(functions, clients):
    functions.create("echo", "def handler(event, context):\n    return event\n", MemorySize=512, Timeout=60)
    text = "x" * (6 * 1024 * 1024 - 100)
    assert functions.invoke("echo", text)[1] == text
    with pytest.raises(ClientError) as refused:
        clients("lambda").invoke(FunctionName="echo", Payload=json.dumps("x" * (6 * 1024 * 1024 + 1)))
    assert refused.value.response["Error"]["Code"] == "RequestEntityTooLargeException"


def test_a_response_over_6_mb_is_an_error_of_the_function(functions):
    functions.create("large", "def handler(event, context):\n    return 'x' * (7 << 20)\n", MemorySize=512, Timeout=60)
    error, payload, _ = functions.invoke("large")
    assert error == "Unhandled"
    assert payload["errorType"] == "Function.ResponseSizeTooLarge"


def test_the_environment_is_the_functions_own_and_no_other(functions):
    source = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    functions.create("env", source, Environment={"Variables": {"MINE": "yes", "TZ": "UTC"}}, MemorySize=256)
    variables = functions.invoke("env")[1]
    assert variables["MINE"] == "yes"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "env"
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert variables["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{functions.runtime}"
    leaked = {name for name in variables if name.startswith(("PIPEPROOF", "GATEWAY", "PROVIDER", "TOX", "PYTEST", "VIRTUAL_ENV"))}
    assert not leaked
    assert variables.keys().isdisjoint(
        os.environ.keys() - {"PATH", "HOME", "LANG", "TZ", "PWD", "TMPDIR", "SHLVL", "LC_ALL", "LC_CTYPE"}
    )


def test_a_function_finds_nothing_of_the_person_in_the_environment_of_the_emulator(functions):
    """It may run as the user who has started the emulator, and can read what that process has then."""
    source = """
from pathlib import Path
def handler(event, context):
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"harness.inside" in (process / "cmdline").read_bytes():
                found += (process / "environ").read_bytes().decode(errors="replace").split(chr(0))
        except OSError:
            pass
    return sorted({variable.partition("=")[0] for variable in found})
"""
    functions.create("curious", source, MemorySize=256)
    names = functions.invoke("curious")[1]
    assert "GATEWAY_LISTEN" in names
    assert [name for name in names if name.startswith(("PYTEST", "TOX", "VIRTUAL_ENV"))] == []


needs_mount_namespaces = pytest.mark.skipif(KIND == "container" or not mounts(), reason="no mount namespaces here, only a TMPDIR")


@pytest.mark.parametrize("directory", [None, pytest.param("/tmp", marks=needs_mount_namespaces)])
def test_each_environment_has_a_tmp_of_its_own_that_stays_between_invocations(functions, clients, directory):
    gate = Gate(clients)
    source = gate.source + (
        "import pathlib, tempfile\n"
        "def handler(event, context):\n"
        "    mine = pathlib.Path(event['in'] or tempfile.gettempdir(), 'count')\n"
        "    before = int(mine.read_text()) if mine.exists() else 0\n"
        "    mine.write_text(str(before + 1))\n"
        "    if event['waits']:\n"
        "        wait_at_gate()\n"
        "    return before\n"
    )
    functions.create("tmp", source, Timeout=60)

    def count(waits):
        return functions.invoke("tmp", {"in": directory, "waits": waits})[1]

    assert [count(waits=False), count(waits=False)] == [0, 1]
    with ThreadPoolExecutor(2) as pool:
        # One of the two runs beside the other, so in a new environment.
        both = [pool.submit(count, waits=True) for _ in range(2)]
        gate.wait_for(2)
        gate.open(2)
        assert sorted(future.result() for future in both) == [0, 2]


@needs_mount_namespaces
def test_neither_code_nor_layer_can_be_written_to(functions, clients):
    layer = clients("lambda").publish_layer_version(
        LayerName="sealed", Content={"ZipFile": zipped({"python/sealed_code.py": "VALUE = 1\n"})}
    )
    source = (
        "import os, sealed_code\n"
        "def handler(event, context):\n"
        "    refused = {}\n"
        "    for path in (os.getcwd(), __file__, os.path.dirname(sealed_code.__file__), sealed_code.__file__, '/opt/python/sealed_code.py'):\n"
        "        try:\n"
        "            with open(path if path.endswith('.py') else path + '/new', 'a'):\n"
        "                refused[path] = None\n"
        "        except OSError as error:\n"
        "            refused[path] = error.strerror\n"
        "    return os.environ['LAMBDA_TASK_ROOT'], refused\n"
    )
    functions.create("sealed", source, Layers=[layer["LayerVersionArn"]])
    root, refused = functions.invoke("sealed")[1]
    assert root in refused
    assert len(refused) == 5
    assert set(refused.values()) == {"Read-only file system"}


def test_a_layer_is_on_the_path(functions, clients):
    layer = clients("lambda").publish_layer_version(
        LayerName="shared", Content={"ZipFile": zipped({"python/shared_code.py": "VALUE = 'from the layer'\n"})}
    )
    source = "import shared_code\ndef handler(event, context):\n    return shared_code.VALUE\n"
    functions.create("layered", source, Layers=[layer["LayerVersionArn"]])
    assert functions.invoke("layered")[1] == "from the layer"


def test_a_provided_runtime_runs_its_bootstrap_on_the_runtime_api(functions):
    bootstrap = (
        "#!/bin/sh\n"
        'api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"\n'
        "while true; do\n"
        '  event=$(curl -sS -D "$TMPDIR/head" "$api/invocation/next") || exit 1\n'
        "  id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: *\\([^\\r]*\\).*/\\1/p' \"$TMPDIR/head\")\n"
        '  curl -sS -o /dev/null -X POST --data "{\\"got\\": $event}" "$api/invocation/$id/response"\n'
        "done\n"
    )
    functions.create("shell", "", runtime="provided.al2023", handler="none", files={"bootstrap": bootstrap})
    assert functions.invoke("shell", {"a": 1})[:2] == (None, {"got": {"a": 1}})


@pytest.mark.parametrize("runtime", ["python3.6", "python3.8", "python3.14", "python3.15"])
def test_a_function_in_any_python_runs_on_the_one_that_the_emulator_has(functions, emulator, runtime):
    source = (
        "import os, sys\ndef handler(event, context):\n    return '%d.%d' % sys.version_info[:2], os.environ['AWS_EXECUTION_ENV']\n"
    )
    functions.create("any", source, runtime=runtime)
    assert functions.invoke("any")[:2] == (None, [emulator.python_runtime.removeprefix("python"), f"AWS_Lambda_{runtime}"])


def test_a_layer_has_packages_for_the_python_that_the_function_names(clients, functions):
    """https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html"""
    layer = {f"python/lib/{runtime}/site-packages/of.py": f"MADE_FOR = '{runtime}'" for runtime in ("python3.8", "python3.9")}
    made = clients("lambda").publish_layer_version(
        LayerName="both", Content={"ZipFile": zipped(layer)}, CompatibleRuntimes=["python3.8", "python3.9"]
    )["LayerVersionArn"]
    source = "import of\ndef handler(event, context):\n    return of.MADE_FOR\n"
    for runtime in ("python3.8", "python3.9"):
        name = functions.create(runtime.replace(".", "-"), source, runtime=runtime, Layers=[made])
        assert functions.invoke(name)[:2] == (None, runtime)


def test_an_unsupported_runtime_is_refused_by_name(clients):
    create = {
        "Role": f"arn:aws:iam::{clients.account}:role/test",
        "Handler": "index.handler",
        "Code": {"ZipFile": zipped({"a": ""})},
    }
    clients("lambda").create_function(FunctionName="coffee", Runtime="java21", **create)

    def failed():
        configuration = clients("lambda").get_function_configuration(FunctionName="coffee")
        return configuration if configuration["State"] == "Failed" else None

    configuration = wait_until(failed, "the function to fail")
    assert "runtime java21 of coffee is not supported" in configuration["StateReason"]


def test_the_log_has_start_output_end_and_report(functions, clients):
    functions.create("logs", "def handler(event, context):\n    print('first'); print('second')\n")
    functions.invoke("logs")

    def messages():
        try:
            events = clients("logs").filter_log_events(logGroupName="/aws/lambda/logs")["events"]
        except clients("logs").exceptions.ResourceNotFoundException:
            return None
        return [event["message"].rstrip("\n") for event in events] or None

    lines = wait_until(messages, "the function's log")
    assert re.fullmatch(rf"START RequestId: {REQUEST_ID} Version: \$LATEST", lines[0])
    assert lines[1:3] == ["first", "second"]
    assert re.fullmatch(rf"END RequestId: {REQUEST_ID}", lines[3])
    assert re.match(
        rf"REPORT RequestId: {REQUEST_ID}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\t", lines[4]
    )


def test_metrics_embedded_in_the_log_arrive_in_cloudwatch(functions, clients):
    emf = {
        "_aws": {
            "Timestamp": 0,
            "CloudWatchMetrics": [
                {"Namespace": "Shop", "Dimensions": [["kind"]], "Metrics": [{"Name": "Orders", "Unit": "Count"}]}
            ],
        },
        "kind": "web",
        "Orders": 3,
    }
    source = f"import json, time\ndef handler(event, context):\n    d = {emf!r}\n    d['_aws']['Timestamp'] = int(time.time() * 1000)\n    print(json.dumps(d))\n"
    functions.create("emf", source)
    functions.invoke("emf")
    metrics = wait_until(lambda: clients("cloudwatch").list_metrics(Namespace="Shop")["Metrics"], "the metric")
    assert [(m["MetricName"], m["Dimensions"]) for m in metrics] == [("Orders", [{"Name": "kind", "Value": "web"}])]


def test_a_map_over_a_thousand_items_does_not_start_a_thousand_processes(functions, clients):
    """The bound holds under a Map state without MaxConcurrency, and every item is done."""
    source = (
        "import os, time\n"
        "def handler(event, context):\n"
        "    return os.getpid()\n"
    )  # fmt: skip
    functions.create("item", source)
    arn = clients("lambda").get_function_configuration(FunctionName="item")["FunctionArn"]
    definition = {
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Map",
                "ItemProcessor": {"StartAt": "Do", "States": {"Do": {"Type": "Task", "Resource": arn, "End": True}}},
                "End": True,
            }
        },
    }
    sfn = clients("stepfunctions")
    machine = sfn.create_state_machine(
        name="map", definition=json.dumps(definition), roleArn=f"arn:aws:iam::{clients.account}:role/x"
    )
    items = 1000
    execution = sfn.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps(list(range(items))))

    def ended():
        answer = sfn.describe_execution(executionArn=execution["executionArn"])
        return answer if answer["status"] != "RUNNING" else None

    answer = wait_until(ended, "the execution to end", timeout_s=240)
    assert answer["status"] == "SUCCEEDED", answer.get("cause")
    processes = json.loads(answer["output"])
    assert len(processes) == items
    assert len(set(processes)) <= 2 * os.cpu_count()


def test_reserved_concurrency_throttles_what_exceeds_it(functions, clients):
    gate = Gate(clients)
    functions.create("one", f"{gate.source}\ndef handler(event, context):\n    wait_at_gate()\n", Timeout=60)
    clients("lambda").put_function_concurrency(FunctionName="one", ReservedConcurrentExecutions=1)
    lambda_once = clients("lambda", retries=False)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda_once.invoke, FunctionName="one")
        gate.wait_for(1)
        with pytest.raises(ClientError, match="TooManyRequestsException"):
            lambda_once.invoke(FunctionName="one")
        gate.open()
        assert "FunctionError" not in first.result()


@pytest.mark.skipif(KIND == "container", reason="the processes of a container are not this machine's")
def test_work_that_a_handler_leaves_running_does_not_go_on_after_its_reply(functions):
    """Lambda freezes an environment between invocations: what a thread does then is lost unless there is a next one."""
    source = (
        "import os, threading, time\n"
        "ticks = 0\n"
        "def tick():\n"
        "    global ticks\n"
        "    while True:\n"
        "        ticks += 1\n"
        "def handler(event, context):\n"
        "    if event == 'start':\n"
        "        threading.Thread(target=tick, daemon=True).start()\n"
        "    had, ends = ticks, time.monotonic() + 5\n"
        "    while ticks == had and time.monotonic() < ends:\n"
        "        time.sleep(0.001)\n"
        "    return os.getpid(), ticks\n"
    )
    functions.create("frozen", source, Timeout=10)
    pid, before = functions.invoke("frozen", "start")[1]
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "the environment to be frozen")
    again, after = functions.invoke("frozen", "look")[1]
    assert again == pid
    assert after > before, "it goes on with the next invocation"
