"""What the tests of the systems that take files share: waiting until they are done, and what their queues hold."""

from __future__ import annotations

import json

from harness.run.drain import Rest, drain


def rest(clients):
    """Waits until the pipeline is at rest."""
    *_, last = drain(clients.endpoint, clients.account, 120, lambda: None)
    assert isinstance(last, Rest)
    assert last.known, last.doubt


def take(clients, queue_url):
    """Takes all messages that there are out of a queue."""
    sqs, taken = clients("sqs"), []
    while found := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
        for message in found:
            taken.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return taken
