"""Functions that wait at a gate until the test opens it: nothing depends on how long anything takes."""

from __future__ import annotations

from tests.conformance.functions import wait_until

# A handler calls `wait_at_gate()`: it says that it is there, and waits. ReceiveMessage is a poll, which no gauge counts as work.
WAITING = """
import boto3

def wait_at_gate():
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl="{arrivals}", MessageBody="here")
    while not (taken := sqs.receive_message(QueueUrl="{gate}", WaitTimeSeconds=1).get("Messages")):
        pass
    sqs.delete_message(QueueUrl="{gate}", ReceiptHandle=taken[0]["ReceiptHandle"])
"""


class Gate:
    """Lets as many invocations pass as it is opened for."""

    def __init__(self, clients):
        self._sqs = clients("sqs")
        self._arrivals = self._sqs.create_queue(QueueName="arrivals")["QueueUrl"]
        self._gate = self._sqs.create_queue(QueueName="gate")["QueueUrl"]

    @property
    def source(self):
        return WAITING.format(arrivals=self._arrivals, gate=self._gate)

    def wait_for(self, many):
        """Until so many invocations are there."""
        count = "ApproximateNumberOfMessages"

        def arrived():
            return int(self._sqs.get_queue_attributes(QueueUrl=self._arrivals, AttributeNames=[count])["Attributes"][count]) >= many

        wait_until(arrived, f"{many} invocations at the gate")

    def open(self, many=1):
        for _ in range(many):
            self._sqs.send_message(QueueUrl=self._gate, MessageBody="pass")
