"""`pipeproof up --watch`: what is saved is put in place, and the next invocation runs it."""

from __future__ import annotations

import json
import re
import signal

import pytest
import yaml

from harness.emulator.clients import Clients
from tests.conformance.functions import wait_until
from tests.e2e.commands import leftovers, pipeproof, start
from tests.e2e.test_run import free_port

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Work: {Type: AWS::SQS::Queue}
  Items: {Type: AWS::Serverless::SimpleTable}
  One:
    Type: AWS::Serverless::Function
    Properties: &both
      CodeUri: code
      Handler: app.handler
      Runtime: python3.12
      Timeout: 9
      Environment: {Variables: {TABLE: !Ref Items}}
      Events: {Q: {Type: SQS, Properties: {Queue: !GetAtt Work.Arn}}}
  Two:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: code, Handler: app.handler, Runtime: python3.12}
"""
CODE = "from lib import inner\n\ndef handler(event, context):\n    return ['first', inner.X]\n"


@pytest.fixture
def watched(tmp_path):
    """The lines that it prints, and its clients."""
    (tmp_path / "code" / "lib").mkdir(parents=True)
    (tmp_path / "code" / "app.py").write_text(CODE)
    (tmp_path / "code" / "lib" / "inner.py").write_text("X = 1\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump({
        "description": "d", "stack": {"template": "template.yaml"}, "source": {"kind": "clickstream", "records": 1},
        "send": {"to": "sqs", "queue_url": "${resources.Work}"}, "probes": [{"kind": "dynamodb", "table": "${resources.Items}", "id": "id"}],
    }))  # fmt: skip
    process = start(tmp_path, "up", "shop.yaml", "--port", free_port(), "--watch", PYTHONUNBUFFERED="1")
    said = []

    def line(pattern):
        for text in process.stdout:
            said.append(text)
            if found := re.search(pattern, text):
                return found
        raise AssertionError(f"{pattern!r} was not printed:\n{''.join(said)}")

    endpoint = line(r"AWS_ENDPOINT_URL=(\S+)")[1]
    line("^watching ")
    yield line, Clients(endpoint), process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    pipeproof(tmp_path, "down")
    assert leftovers(tmp_path) == []


def invoke(clients, name):
    names = [function["FunctionName"] for function in clients("lambda").list_functions()["Functions"]]
    answer = clients("lambda").invoke(FunctionName=next(one for one in names if f"-{name}-" in one))
    return json.loads(answer["Payload"].read())


def test_what_is_saved_runs_next_and_what_is_wrong_is_told(tmp_path, watched):
    line, clients, process = watched
    code, template = tmp_path / "code", tmp_path / "template.yaml"
    assert invoke(clients, "One") == invoke(clients, "Two") == ["first", 1]
    code.joinpath("app.py").write_text(CODE.replace("first", "second"))
    line(r"^code/app.py: One has new code in ")
    # Of all functions that share the code.
    assert invoke(clients, "One") == invoke(clients, "Two") == ["second", 1]
    code.joinpath("lib", "inner.py").write_text("X = 2\n")
    line(r"^code/lib/inner.py: One has new code in ")
    assert invoke(clients, "One") == ["second", 2]

    template.write_text(TEMPLATE.replace("Timeout: 9", "Timeout: 8"))
    line(r"^template.yaml: the stack is updated in ")
    functions = clients("lambda").list_functions()["Functions"]
    assert {8, 3} == {function["Timeout"] for function in functions}
    # An update packages the code as it is saved.
    assert invoke(clients, "One") == ["second", 2]

    template.write_text("Resources: [\n")
    line(r"^template.yaml: not in place: .*not YAML")
    template.write_text(TEMPLATE)
    line(r"^template.yaml: the stack is updated in ")

    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert "stays up until" in process.stdout.read()
    wait_until(lambda: invoke(clients, "Two") == ["second", 2], "the emulator to answer still")
