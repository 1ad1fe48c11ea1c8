"""`pipeproof logs` and `pipeproof ps`: what the functions of a stack that is up have logged, and what is under way in it."""

from __future__ import annotations

import json
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from harness.emulator.clients import Clients
from harness.emulator.ports import free_port
from tests.e2e.commands import leftovers, pipeproof, start

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Say:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.13, CodeUri: code, Handler: say.handler}
  Quiet:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.13, CodeUri: code, Handler: say.handler, FunctionName: quiet-one}
  Letters: {Type: AWS::SQS::Queue}
"""
SCENARIO = """
description: A function that says what it is given.
stack: {template: template.yaml}
source: {kind: synthetic, records: 1, id: id, fields: {id: {type: uuid}}}
send: {to: sqs, queue_url: none}
probes: [{kind: s3, bucket: none, format: json, id: id}]
"""


@pytest.fixture
def stack(tmp_path):
    """Yields a function that invokes the function of a stack that is up."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "say.py").write_text("def handler(event, context):\n    print('given', event['id'])\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "say.yaml").write_text(SCENARIO)
    port = free_port()
    code, output, _ = pipeproof(tmp_path, "up", "say.yaml", "--port", port)
    assert code == 0, output
    try:
        function = Clients(f"http://127.0.0.1:{port}")("lambda")
        name = next(one["FunctionName"] for one in function.list_functions()["Functions"] if "Say" in one["FunctionName"])

        def invoke(id_):
            function.invoke(FunctionName=name, Payload=json.dumps({"id": id_}))

        invoke.endpoint = f"http://127.0.0.1:{port}"
        yield invoke
    finally:
        assert pipeproof(tmp_path, "down")[0] == 0
        assert leftovers(tmp_path) == []


def said(output):
    return [line.partition("  ")[2] for line in output.splitlines() if "given" in line]


def test_logs_are_shown_by_logical_id_filtered_and_followed(tmp_path, stack):
    for number in range(3):
        stack(f"record-{number}")
    follower = start(tmp_path, "logs", "Say", "--follow")
    told = iter(follower.stdout.readline, "")
    # The shipping of logs is a moment behind the answer: the follower sees all of them, whenever they come.
    assert said("".join(next(line for line in told if "given" in line) for _ in range(3))) == [
        f"given record-{n}" for n in range(3)
    ]
    stack("record-3")
    assert said(next(line for line in told if "given" in line)) == ["given record-3"]
    follower.send_signal(signal.SIGINT)
    follower.communicate(timeout=20)
    assert follower.returncode == 0
    code, output, _ = pipeproof(tmp_path, "logs", "Say", "--record", "record-1")
    assert (code, said(output)) == (0, ["given record-1"])
    code, output, _ = pipeproof(tmp_path, "logs", "quiet-one")
    assert (code, output) == (0, "quiet-one has logged nothing yet\n")
    code, output, _ = pipeproof(tmp_path, "logs", "Sya")
    assert (code, "no function is called 'Sya'; did you mean Say" in output) == (64, True)


def test_what_is_under_way_is_told(tmp_path, stack):
    code, output, _ = pipeproof(tmp_path, "ps")
    assert (code, output) == (0, "at rest: nothing is under way, and every queue is empty\n")
    sqs = Clients(stack.endpoint)("sqs")
    (url,) = sqs.list_queues()["QueueUrls"]
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    sqs.receive_message(QueueUrl=url)
    code, output, _ = pipeproof(tmp_path, "ps")
    assert code == 0, output
    assert [part for part in output.strip().split("  ") if part] == [
        "3 messages",
        "Letters",
        "2 visible, 1 in flight; no mapping reads it",
    ]


def test_an_endpoint_that_does_not_tell_is_refused(tmp_path):
    code, output, _ = pipeproof(tmp_path, "ps", "--emulator", f"http://127.0.0.1:{free_port()}")
    assert code == 64, output


def test_resources_have_the_names_of_the_template(tmp_path, stack):
    note = json.loads((tmp_path / ".pipeproof" / "up.json").read_text())
    assert set(note["resources"]) == {"Say", "Quiet", "Letters"}
    (url,) = Clients(stack.endpoint)("sqs").list_queues()["QueueUrls"]
    assert note["resources"]["Letters"] == url
    Clients(stack.endpoint)("sqs").send_message(QueueUrl=url, MessageBody="one")
    code, output, _ = pipeproof(tmp_path, "redrive", "Letters")
    assert (code, "1 chosen" in output) == (0, True), output
    code, output, _ = pipeproof(tmp_path, "redrive", "Latters")
    assert (code, "there is no queue Latters" in output) == (64, True), output


def test_a_run_at_the_endpoint_leaves_the_commands_as_they_were(tmp_path, stack):
    """Its own stack is deleted at its end, and the emulator still tells it."""
    code, output, _ = pipeproof(tmp_path, "run", "say.yaml", "--emulator", stack.endpoint, "--records", "1")
    assert code == 2, output
    statuses = {one["StackStatus"] for one in Clients(stack.endpoint)("cloudformation").describe_stacks()["Stacks"]}
    assert "DELETE_COMPLETE" in statuses, "the emulator tells the stack that the run has deleted"
    code, output, _ = pipeproof(tmp_path, "ps")
    assert code == 0, output
    code, output, _ = pipeproof(tmp_path, "logs", "Quiet")
    assert code == 0, output


def test_another_server_is_no_emulator(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        code, output, _ = pipeproof(tmp_path, "ps", "--emulator", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert (code, "another server listens there" in output) == (64, True), output
