"""Functions in Node.js run through the Runtime API as on AWS: handlers of each kind, their errors, their log."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from tests.e2e.commands import KIND

pytestmark = pytest.mark.skipif(KIND == "embedded" and shutil.which("node") is None, reason="this machine has no Node.js")

HANDLERS = """
exports.promise = async (event, context) => ({ event, left: context.getRemainingTimeInMillis() > 1000, id: context.awsRequestId });
exports.callback = (event, context, callback) => { setTimeout(() => callback(null, event * 2), 5); };
exports.unwaited = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  setInterval(() => {}, 60000);
  callback(null, "at once");
};
exports.silent = () => {};
exports.undefined = async () => undefined;
exports.succeed = (event, context) => context.succeed("old style");
exports.handler = async (event) => {
  console.log("told %s", event.kind);
  console.error("two\\nlines");
  switch (event.kind) {
    case "thrown": throw new TypeError("no such field");
    case "text": throw "only a text";
    case "exit": process.exit(3);
    case "unhandled": Promise.reject(new Error("nobody waits")); await new Promise((done) => setTimeout(done, 2000)); return;
    case "late": setTimeout(() => { throw new RangeError("outside"); }, 5); await new Promise((done) => setTimeout(done, 2000)); return;
    case "forever": await new Promise((done) => setTimeout(done, 60000)); return;
    case "big": return 10n;
    default: return "well";
  }
};
exports.failing = (event, context, callback) => callback(new Error("told by the callback"));
exports.inner = { handler: async () => "inner" };
exports.streamed = awslambda.streamifyResponse(async (event, stream) => { stream.write("part one, "); stream.end("part two"); });
"""
MODULE = "export const handler = async (event) => ({ url: import.meta.url.slice(0, 7), event });\n"


@pytest.fixture
def created(functions):
    def create(name, handler, files=None, **options):
        files = {"app.js": HANDLERS, "lib/module.mjs": MODULE, "broken.js": "exports.handler = (\n", **(files or {})}
        return functions.create(name, "", handler=handler, runtime="nodejs18.x", files=files, **options)

    return create


@pytest.mark.parametrize(
    ("handler", "event", "answer"),
    [
        ("app.callback", 21, 42),
        ("app.unwaited", None, "at once"),
        ("app.silent", None, None),
        ("app.undefined", None, None),
        ("app.succeed", None, "old style"),
        ("app.inner.handler", None, "inner"),
        ("app.streamed", None, "part one, part two"),
        ("lib/module.handler", [1], {"url": "file://", "event": [1]}),
    ],
)
def test_a_handler_of_each_kind_answers(created, functions, handler, event, answer):
    created("kind", handler)
    for _ in range(2):
        assert functions.invoke("kind", event)[:2] == (None, answer)


def test_a_handler_has_its_context_and_environment(created, functions):
    created("context", "app.promise", Timeout=5)
    error, answer, log = functions.invoke("context", {"é": "日本"})
    assert (error, answer["event"], answer["left"]) == (None, {"é": "日本"}, True)
    assert f"RequestId: {answer['id']}" in log


def test_each_way_to_fail_is_reported_and_the_function_works_again(created, functions):
    """Sources: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html"""
    created("fails", "app.handler", Timeout=1)
    errors = {
        "thrown": ("TypeError", "no such field"),
        "text": ("string", "only a text"),
        "unhandled": ("Runtime.UnhandledPromiseRejection", "Error: nobody waits"),
        "late": ("RangeError", "outside"),
        "exit": ("Runtime.ExitError", "exit status 3"),
        "forever": ("Sandbox.Timedout", "Task timed out after 1.00 seconds"),
        "big": ("Runtime.UnserializableResponse", "Unable to stringify response body"),
    }
    for kind, (name, message) in errors.items():
        error, payload, _ = functions.invoke("fails", {"kind": kind})
        assert (error, payload["errorType"]) == ("Unhandled", name), kind
        assert message in payload["errorMessage"]
        assert functions.invoke("fails", {"kind": "well"})[:2] == (None, "well")


def test_the_log_has_what_the_console_was_given(created, functions):
    created("logs", "app.handler")
    _, _, log = functions.invoke("logs", {"kind": "thrown"})
    told = re.search(r"[\d-]+T[\d:.]+Z\t([0-9a-f-]{36})\tINFO\ttold thrown", log)
    assert told is not None
    assert f"{told[1]}\tERROR\ttwo\rlines" in log
    assert '"errorMessage":"no such field"' in log


def test_the_log_is_json_where_that_is_configured(created, functions):
    created("json-logs", "app.handler", LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"})
    _, _, log = functions.invoke("json-logs", {"kind": "well"})
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["message"] for line in lines if "message" in line] == ["two\nlines"]


@pytest.mark.parametrize(
    ("handler", "name", "message"),
    [
        ("nowhere.handler", "Runtime.ImportModuleError", "Cannot find module"),
        ("app.nothing", "Runtime.HandlerNotFound", "app.nothing is undefined or not exported"),
        ("broken.handler", "Runtime.UserCodeSyntaxError", "SyntaxError"),
        ("nodot", "Runtime.MalformedHandlerName", "nodot"),
    ],
)
def test_a_handler_that_does_not_load_is_reported(created, functions, handler, name, message):
    created("unloadable", handler)
    error, payload, _ = functions.invoke("unloadable")
    assert (error, payload["errorType"]) == ("Unhandled", name)
    assert message in payload["errorMessage"]


def test_modules_of_a_layer_are_found(created, functions, clients):
    from tests.conformance.functions import zipped

    layer = zipped({"nodejs/node_modules/greet/index.js": "exports.greet = () => 'from the layer';\n"})
    arn = clients("lambda").publish_layer_version(LayerName="greet", Content={"ZipFile": layer})["LayerVersionArn"]
    source = "const { greet } = require('greet');\nexports.handler = async () => greet();\n"
    created("layered", "uses.handler", files={"uses.js": source}, Layers=[arn])
    assert functions.invoke("layered")[:2] == (None, "from the layer")
