"""State machines: made from their states, run to their end."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.conformance.functions import wait_until

FAILING = {
    "C": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThanEquals": 8, "Next": "F"}], "Default": "S"},
    "F": {"Type": "Fail", "Error": "Mine", "Cause": "because"},
    "S": {"Type": "Pass", "End": True},
}
TEN = [{"n": n} for n in range(10)]


@dataclass(frozen=True)
class Machines:
    """Called with states and an input it runs them: it returns the description of the execution when it has ended."""

    clients: object

    def __call__(self, states, given=None, **top):
        return self.ended(self.start(states, given, **top))

    def start(self, states, given=None, **top):
        """Starts an execution of these states. Returns its ARN."""
        definition = {"StartAt": next(iter(states)), "States": states, **top}
        arn = self.clients("stepfunctions").create_state_machine(
            name=f"machine-{abs(hash(json.dumps(definition, sort_keys=True)))}",
            definition=json.dumps(definition),
            roleArn=f"arn:aws:iam::{self.clients.account}:role/machine",
        )["stateMachineArn"]
        started = self.clients("stepfunctions").start_execution(
            stateMachineArn=arn, input=json.dumps({} if given is None else given)
        )
        return started["executionArn"]

    def stop(self, execution):
        """The description of an execution right after it has been stopped."""
        self.clients("stepfunctions").stop_execution(executionArn=execution, error="Stopped", cause="by hand")
        return self.clients("stepfunctions").describe_execution(executionArn=execution)

    def events(self, execution):
        """The types of the events in the history of an execution."""
        return [event["type"] for event in self.clients("stepfunctions").get_execution_history(executionArn=execution)["events"]]

    def redriven(self, execution):
        """The description of an execution that has been redriven, when it has ended again."""
        self.clients("stepfunctions").redrive_execution(executionArn=execution)
        return self.ended(execution)

    def ended(self, execution):
        """The description of an execution when it has ended."""

        def look():
            described = self.clients("stepfunctions").describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        return wait_until(look, "the execution to end")


def output(described):
    assert described["status"] == "SUCCEEDED", described
    return json.loads(described["output"])


def distributed(processor=None, *, execution_type="STANDARD", **options):
    """A Distributed Map of these states."""
    inner = processor or {"P": {"Type": "Pass", "End": True}}
    item_processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": execution_type},
        "StartAt": next(iter(inner)),
        "States": inner,
    }
    return {"Map": {"Type": "Map", "ItemProcessor": item_processor, "End": True, **options}}
