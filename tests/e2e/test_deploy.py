"""Stacks from SAM templates, as several runs on one emulator deploy them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

SAM = json.dumps(
    {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Notes": {"Type": "AWS::Serverless::SimpleTable"}}},
)


def test_sam_templates_transformed_at_once_all_deploy(clients):
    """They share the region in LocalStack's environment: the first to end took it from the others ("AWS Region cannot be found")."""
    cloudformation = clients("cloudformation")
    names = [f"at-once-{number}" for number in range(16)]

    def deploy(name):
        cloudformation.create_stack(StackName=name, TemplateBody=SAM, Capabilities=["CAPABILITY_AUTO_EXPAND"])
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(deploy, names))
    assert len(clients("dynamodb").list_tables()["TableNames"]) == len(names)
    for name in names:
        cloudformation.delete_stack(StackName=name)
