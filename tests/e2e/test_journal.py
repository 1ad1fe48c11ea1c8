"""The journal of an account, as the emulator keeps it."""

from __future__ import annotations

import json

import pytest
import urllib3

from harness.emulator import tokens
from tests.conformance.functions import wait_until

REPORTS = """
def handler(event, context):
    return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
"""


@pytest.mark.parametrize("types", [[], ["ReportBatchItemFailures"]])
def test_it_tells_whether_a_mapping_reads_what_an_answer_reports(functions, clients, types):
    url = f"{clients.endpoint}/_pipeproof/journal?account={clients.account}"

    def ask(method, offset=0):
        answer = urllib3.request(method, f"{url}&offset={offset}", headers=tokens.headers(url), retries=False)
        return [json.loads(line) for line in answer.data.splitlines() if line.startswith(b'{"kind"')]

    ask("PUT")
    queue = clients("sqs").create_queue(QueueName="q")["QueueUrl"]
    arn = clients("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    functions.create("f", REPORTS)
    clients("lambda").create_event_source_mapping(FunctionName="f", EventSourceArn=arn, FunctionResponseTypes=types)
    clients("sqs").send_message(QueueUrl=queue, MessageBody="one")
    entry = wait_until(lambda: next((one for one in ask("GET") if one["kind"] == "invocation"), None), "the invocation")
    assert entry.get("gives_back", False) == bool(types)
    clients("sqs").delete_queue(QueueUrl=queue)
    ask("DELETE")
