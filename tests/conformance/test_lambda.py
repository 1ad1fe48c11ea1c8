"""Lambda: versions and aliases, layers, limits, throttling, and what becomes of asynchronous invocations."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.conformance.functions import wait_until, zipped

INVOKE = "lambda/latest/api/API_Invoke.html"
VERSIONS = "lambda/latest/dg/configuration-versions.html"
LAYERS = "lambda/latest/dg/packaging-layers.html"
LIMITS = "lambda/latest/dg/gettingstarted-limits.html"
CONCURRENCY = "lambda/latest/dg/configuration-concurrency.html"
NO_OPT = pytest.mark.not_kept(
    "no mount namespace in a container without privilege; PATH and PYTHONPATH name the layers", emulator="container"
)
ECHO = "def handler(event, context):\n    return [event, context.function_version, context.invoked_function_arn]\n"


@pytest.fixture
def lambda_(clients):
    return clients("lambda")


def refused(call, *args, **kwargs):
    """Code, status and message of a call that fails."""
    with pytest.raises(ClientError) as error:
        call(*args, **kwargs)
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def arn(clients, name="f"):
    return f"arn:aws:lambda:us-east-1:{clients.account}:function:{name}"


@pytest.mark.rule(INVOKE)
@pytest.mark.parametrize("qualifier", ["99", "nobody"])
@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
def test_an_unknown_version_is_not_found(clients, lambda_, functions, qualifier, kind):
    """Invoke with a version or alias that does not exist is a ResourceNotFoundException that names the qualified function."""
    functions.create("f", ECHO)
    code, status, message = refused(lambda_.invoke, FunctionName="f", Qualifier=qualifier, InvocationType=kind)
    assert (code, status, message) == ("ResourceNotFoundException", 404, f"Function not found: {arn(clients)}:{qualifier}")


@pytest.mark.rule(INVOKE)
@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
def test_a_payload_that_is_not_json_is_refused(lambda_, functions, kind):
    """Invoke with a payload that is not JSON is an InvalidRequestContentException: nothing is accepted."""
    functions.create("f", ECHO)
    code, status, _ = refused(lambda_.invoke, FunctionName="f", Payload=b"{broken", InvocationType=kind)
    assert (code, status) == ("InvalidRequestContentException", 400)


@pytest.mark.rule(INVOKE)
def test_an_unknown_function_is_not_found(clients, lambda_):
    """A function that does not exist is a ResourceNotFoundException."""
    code, status, message = refused(lambda_.invoke, FunctionName="f")
    assert (code, status) == ("ResourceNotFoundException", 404)
    assert message.startswith(f"Function not found: {arn(clients)}")


@pytest.mark.rule("lambda/latest/api/API_GetFunction.html")
@pytest.mark.parametrize("call", ["get_function", "get_function_configuration", "delete_function"])
def test_other_calls_of_an_unknown_version(clients, lambda_, functions, call):
    """A version that does not exist is not found: but DeleteFunction of one says nothing, as AWS does."""
    functions.create("f", ECHO)
    if call == "delete_function":
        lambda_.delete_function(FunctionName="f", Qualifier="99")
        assert lambda_.get_function(FunctionName="f")["Configuration"]["Version"] == "$LATEST"
        return
    code, status, _ = refused(getattr(lambda_, call), FunctionName="f", Qualifier="99")
    assert (code, status) == ("ResourceNotFoundException", 404)


@pytest.mark.rule(VERSIONS)
def test_a_version_does_not_change(clients, lambda_, functions):
    """A published version keeps its code and variables, whatever becomes of $LATEST."""
    source = "import os\ndef handler(event, context):\n    return [os.environ['V'], context.function_version]\n"
    functions.create("f", source, Environment={"Variables": {"V": "one"}})
    version = lambda_.publish_version(FunctionName="f")["Version"]
    lambda_.update_function_configuration(FunctionName="f", Environment={"Variables": {"V": "two"}})
    lambda_.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})

    def answer(**qualified):
        return json.loads(lambda_.invoke(FunctionName="f", **qualified)["Payload"].read())

    assert version == "1"
    assert answer(Qualifier="1") == ["one", "1"]
    assert answer() == ["two", "$LATEST"]


@pytest.mark.rule("lambda/latest/dg/configuration-aliases.html")
def test_an_alias_is_invoked(clients, lambda_, functions):
    """An alias runs its version; the function's ARN is that of the alias."""
    functions.create("f", ECHO)
    lambda_.publish_version(FunctionName="f")
    lambda_.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    _, version, invoked = json.loads(lambda_.invoke(FunctionName="f", Qualifier="live", Payload=b"1")["Payload"].read())
    assert (version, invoked) == ("1", f"{arn(clients)}:live")


@pytest.fixture
def layer(lambda_):
    def publish(name, **files):
        contents = {path.replace("__", "/").replace("_dot_", "."): text for path, text in files.items()}
        return lambda_.publish_layer_version(LayerName=name, Content={"ZipFile": zipped(contents)})["LayerVersionArn"]

    return publish


@pytest.mark.rule(LAYERS)
@NO_OPT
def test_a_layer_is_below_opt(functions, layer):
    """The files of a layer are below /opt."""
    made = layer("data", data__words_dot_txt="hello", bin__tool="#!/bin/sh\necho from the tool\n")
    source = """
import subprocess
def handler(event, context):
    return [open("/opt/data/words.txt").read(), subprocess.run(["/opt/bin/tool"], capture_output=True, text=True).stdout]
"""
    functions.create("f", source, Layers=[made])
    assert functions.invoke("f")[:2] == (None, ["hello", "from the tool\n"])


@pytest.mark.rule("lambda/latest/dg/python-layers.html")
def test_a_layers_python_is_found(functions, layer):
    """Packages below python/ of a layer can be imported; of two layers the later hides the earlier."""
    first = layer("first", python__thing_dot_py="NAME = 'first'\n", python__only_dot_py="NAME = 'only'\n")
    second = layer("second", python__thing_dot_py="NAME = 'second'\n")
    functions.create(
        "f", "import thing, only\ndef handler(event, context):\n    return [thing.NAME, only.NAME]\n", Layers=[first, second]
    )
    assert functions.invoke("f")[:2] == (None, ["second", "only"])


@pytest.mark.rule(LAYERS)
@NO_OPT
def test_a_later_layer_hides_the_files_of_an_earlier(functions, layer):
    """Layers are merged in their order: the last one's file is there."""
    first = layer("first", a_dot_txt="first", b_dot_txt="first")
    second = layer("second", a_dot_txt="second")
    source = "def handler(event, context):\n    return [open(f'/opt/{name}.txt').read() for name in 'ab']\n"
    functions.create("f", source, Layers=[first, second])
    assert functions.invoke("f")[:2] == (None, ["second", "first"])


@pytest.mark.rule(LIMITS)
def test_a_request_has_6_mb_at_most(lambda_, functions):
    """A larger payload of a synchronous invocation is a RequestEntityTooLargeException."""
    functions.create("f", ECHO)
    code, status, _ = refused(lambda_.invoke, FunctionName="f", Payload=json.dumps("x" * 6_291_456).encode())
    assert status == 413
    assert code in {"RequestTooLargeException", "RequestEntityTooLargeException"}


@pytest.mark.rule(LIMITS)
def test_a_response_has_6_mb_at_most(functions):
    """A larger response is the function's error."""
    functions.create("f", "def handler(event, context):\n    return 'x' * 6_300_000\n", MemorySize=512)
    error, payload, _ = functions.invoke("f")
    assert (error, payload["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")


@pytest.mark.rule("lambda/latest/dg/configuration-timeout.html")
def test_a_function_that_takes_too_long_is_stopped(functions):
    """Task timed out after so many seconds, as an error of the function."""
    functions.create("f", "import time\ndef handler(event, context):\n    time.sleep(30)\n", Timeout=1)
    error, payload, _ = functions.invoke("f")
    assert error == "Unhandled"
    assert "Task timed out after 1.00 seconds" in payload["errorMessage"]


@pytest.mark.rule("lambda/latest/api/API_CreateEventSourceMapping.html")
@pytest.mark.parametrize(
    "options",
    [
        {"BatchSize": 10_001},
        {"MaximumBatchingWindowInSeconds": 301},
        {"ParallelizationFactor": 11},
        {"MaximumRetryAttempts": 10_001},
        {"MaximumRecordAgeInSeconds": 604_801},
        {"TumblingWindowInSeconds": 901},
        {"ScalingConfig": {"MaximumConcurrency": 1001}},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_mapping_beyond_a_bound_is_refused(clients, lambda_, functions, options):
    """CreateEventSourceMapping refuses numbers beyond their documented bounds."""
    functions.create("f", ECHO)
    source = f"arn:aws:kinesis:us-east-1:{clients.account}:stream/s"
    code, status, message = refused(
        lambda_.create_event_source_mapping, FunctionName="f", EventSourceArn=source, StartingPosition="LATEST", **options
    )
    assert (code, status) == ("ValidationException", 400)
    assert message.startswith("1 validation error detected: Value ")


@pytest.mark.rule(LIMITS)
@pytest.mark.parametrize("options", [{"Timeout": 901}, {"MemorySize": 10_241}, {"Layers": ["arn"] * 6}], ids=str)
def test_a_function_beyond_a_limit_is_refused(clients, lambda_, functions, options):
    """A function has 15 minutes, 10,240 MB and five layers at most."""
    functions.create("f", ECHO)
    code, status, _ = refused(lambda_.update_function_configuration, FunctionName="f", **options)
    assert status == 400
    assert code in {"ValidationException", "InvalidParameterValueException"}


@pytest.mark.rule(CONCURRENCY)
def test_reserved_concurrency_of_zero_throttles(lambda_, functions):
    """A function whose reserved concurrency is 0 is not run: TooManyRequestsException, 429."""
    functions.create("f", ECHO)
    lambda_.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    code, status, _ = refused(lambda_.invoke, FunctionName="f")
    assert (code, status) == ("TooManyRequestsException", 429)


WAITING = """
import os, time
import boto3
def handler(event, context):
    s3 = boto3.client("s3")
    s3.put_object(Bucket=event, Key="begun")
    while not s3.list_objects_v2(Bucket=event, Prefix="updated")["KeyCount"]:
        time.sleep(0.1)
    import later
    return [os.environ["NAME"], later.NAME, context.get_remaining_time_in_millis() > 5000]
"""


@pytest.mark.rule("lambda/latest/dg/functions-states.html")
def test_an_invocation_ends_on_what_it_began_with_while_its_function_is_updated(clients, lambda_, functions):
    """An update of the configuration or of the code does not touch what runs: it is for the next invocation."""
    bucket = f"begun-{clients.account}"
    clients("s3").create_bucket(Bucket=bucket)
    old, new = "NAME = 'old'", "NAME = 'new'"
    functions.create("f", WAITING, files={"later.py": old}, Timeout=20, Environment={"Variables": {"NAME": "old"}})
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(functions.invoke, "f", bucket)
        wait_until(lambda: clients("s3").list_objects_v2(Bucket=bucket)["KeyCount"], "the invocation to begin")
        lambda_.update_function_configuration(FunctionName="f", Timeout=5, Environment={"Variables": {"NAME": "new"}})
        lambda_.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
        lambda_.update_function_code(FunctionName="f", ZipFile=zipped({"app.py": WAITING, "later.py": new}))
        lambda_.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
        clients("s3").put_object(Bucket=bucket, Key="updated")
        error, ended, _ = running.result(60)
    assert (error, ended) == (None, ["old", "old", True])
    error, ended, _ = functions.invoke("f", bucket)
    assert (error, ended) == (None, ["new", "new", False])


@pytest.mark.rule("lambda/latest/dg/configuration-envvars.html")
def test_variables_that_lambda_sets(functions):
    """Name, version, memory, region, task root, and time zone of the function."""
    source = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    functions.create("f", source, MemorySize=256)
    _, variables, _ = functions.invoke("f")
    expected = {
        "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "_HANDLER": "app.handler", "TZ": ":UTC",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }  # fmt: skip
    assert {name: variables.get(name) for name in expected} == expected


@pytest.mark.rule("lambda/latest/dg/python-context.html")
def test_the_context(clients, functions):
    """The context names the request, the function, and the time that is left."""
    source = """
def handler(event, context):
    return [context.function_name, context.memory_limit_in_mb, context.invoked_function_arn, context.get_remaining_time_in_millis()]
"""
    functions.create("f", source, Timeout=7, MemorySize=128)
    _, (name, memory, invoked, left), _ = functions.invoke("f")
    assert (name, memory, invoked) == ("f", "128", arn(clients))
    assert 5000 < left <= 7000


LOGS = "lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html"


def lines_of(clients, group):
    found = clients("logs").filter_log_events(logGroupName=group)["events"] if groups(clients, group) else []
    return [one["message"] for one in found]


def groups(clients, name):
    return clients("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]


@pytest.mark.rule(LOGS)
def test_a_log_as_json(clients, lambda_, functions):
    """With LogFormat JSON the function's log and Lambda's own lines are JSON objects, and ApplicationLogLevel drops what is below it."""
    code = "import logging\n\ndef handler(event, context):\n    logging.getLogger().info('not told')\n    logging.getLogger().warning('told')\n"
    functions.create("f", code, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN"})
    functions.invoke("f")
    lines = wait_until(lambda: len(found := lines_of(clients, "/aws/lambda/f")) >= 3 and found, "the log")
    told = [json.loads(line) for line in lines]
    assert [one.get("type") or (one["level"], one["message"]) for one in told] == [
        "platform.start",
        ("WARNING", "told"),
        "platform.report",
    ]
    assert told[1]["requestId"] == told[0]["record"]["requestId"] == told[2]["record"]["requestId"]
    assert told[2]["record"]["metrics"]["memorySizeMB"] == 128


@pytest.mark.rule("lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html")
def test_a_log_group_of_ones_own(clients, lambda_, functions):
    """LoggingConfig names the log group; the function knows it."""
    functions.create("f", "def handler(event, context):\n    return context.log_group_name\n", LoggingConfig={"LogGroup": "ours"})
    assert functions.invoke("f")[1] == "ours"
    assert wait_until(lambda: lines_of(clients, "ours"), "the log")[0].startswith("START RequestId: ")
    assert groups(clients, "/aws/lambda/f") == []
