"""A project whose function takes more than a second for a batch, and whose queue gives back soon what was not taken."""

from __future__ import annotations

from tests.e2e.swallowing import KEEP, SCENARIO, TEMPLATE

SETTINGS = ["{kind: reserved_concurrency, function: Keep}", "{kind: timeout, function: Keep, seconds: 1}"]


def write_waiting_project(directory, fault):
    """Writes the project and its scenario, orders.yaml, with a fault, into a directory."""
    (directory / "functions").mkdir()
    (directory / "functions" / "keep.py").write_text(
        KEEP.replace("import json, os", "import json, os, time").replace(
            "        try:\n", "        time.sleep(1.5)\n        try:\n"
        )
    )
    template = TEMPLATE.replace("{Type: AWS::SQS::Queue}", "{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 6}}", 1)
    template = template.replace("Timeout: 20", "Timeout: 5").replace(
        "{Queue: !GetAtt Events.Arn}", "{Queue: !GetAtt Events.Arn, BatchSize: 1}"
    )
    (directory / "template.yaml").write_text(template)
    (directory / "orders.yaml").write_text(f"{SCENARIO}faults: [{fault}]\nfaults_timeout_s: 8\n")


def write_notified_project(directory, fault):
    """Writes a project whose function is invoked asynchronously, by a topic, and has a dead-letter queue, with its scenario, orders.yaml."""
    (directory / "functions").mkdir()
    (directory / "functions" / "keep.py").write_text(
        KEEP.replace("json.loads(record['body'])", "json.loads(record['Sns']['Message'])").replace(
            'Body=record["body"]', "Body=record['Sns']['Message']"
        )
    )
    template = TEMPLATE.replace(
        "  Events: {Type: AWS::SQS::Queue}", "  Events: {Type: AWS::SNS::Topic}\n  Dead: {Type: AWS::SQS::Queue}"
    )
    template = template.replace(
        "Queue: {Type: SQS, Properties: {Queue: !GetAtt Events.Arn}}", "Topic: {Type: SNS, Properties: {Topic: !Ref Events}}"
    )
    template = template.replace(
        "      Timeout: 20", "      Timeout: 20\n      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Dead.Arn}"
    )
    (directory / "template.yaml").write_text(template)
    scenario = SCENARIO.replace('{to: sqs, queue_url: "${resources.Events}"}', '{to: sns, topic_arn: "${resources.Events}"}')
    dead = '{kind: anywhere, places: [{queue_url: "${resources.Dead}", outcome: dead_lettered}]}'
    scenario = scenario.replace("id: id}]\n", f"id: id}}, {dead}]\n")
    (directory / "orders.yaml").write_text(f"{scenario}faults: [{fault}]\nallow: {{misrouted: all}}\n")
