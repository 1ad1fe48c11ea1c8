"""Deploying a stack from its resources, and what it is like afterwards."""

from __future__ import annotations

import json

from tests.conformance.functions import wait_until

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "made"}}


def status(cloudformation, name):
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except cloudformation.exceptions.ClientError:
        return "DELETE_COMPLETE"


def ended(cloudformation, name):
    return wait_until(lambda: (s := status(cloudformation, name)) and not s.endswith("_IN_PROGRESS") and s, f"{name} to end", 90)


def deployer(cloudformation):
    """A function that creates or updates a stack, and returns its status."""

    def run(resources, *, name="stack", update=False, **template):
        options = {key: template.pop(key) for key in ("Parameters", "OnFailure", "DisableRollback") if key in template}
        call = cloudformation.update_stack if update else cloudformation.create_stack
        call(
            StackName=name,
            TemplateBody=json.dumps({"Resources": resources, **template}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **options,
        )
        return ended(cloudformation, name)

    return run


def outputs(cloudformation, name="stack"):
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}


def queue(**properties):
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def queues(clients):
    return [url.rpartition("/")[2] for url in clients("sqs").list_queues().get("QueueUrls", [])]
