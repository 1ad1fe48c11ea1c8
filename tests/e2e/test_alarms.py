"""The alarms of the clickstream: which ring, which are quiet again, and metrics that add up."""

from __future__ import annotations

import json

import pytest

from harness.stack import deploy as stacks
from tests.e2e.commands import ROOT


@pytest.mark.parametrize("scenario", ["clickstream-healthy", "clickstream-alarms"])
def test_the_alarms_ring_where_there_is_a_cause_and_the_metrics_add_up(tmp_path, run, scenario):
    code, output, result = run(tmp_path, "run", scenario, "--seed", 3)
    assert code == 0, output
    assert not any(result["anomalies"].values())
    assert all(check["holds"] for check in result["checks"])
    rang = [check["text"].endswith(", rang") or check["text"].endswith("found ALARM") for check in result["checks"]]
    assert rang.count(True) == (3 if scenario == "clickstream-alarms" else 0), output


def test_the_dashboard_shows_what_there_is(clients, emulator):
    """Each metric of each widget is one that an alarm or the function names, and each alarm is there."""
    parameters = {"PythonRuntime": emulator.python_runtime}
    outputs = stacks.deploy(clients, ROOT / "pipeline" / "clickstream" / "template.yaml", parameters, "shown").outputs
    cloudwatch = clients("cloudwatch")
    widgets = json.loads(cloudwatch.get_dashboard(DashboardName=outputs["DashboardName"])["DashboardBody"])["widgets"]
    alarms = {alarm["AlarmArn"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]}
    (shown,) = (set(widget["properties"]["alarms"]) for widget in widgets if widget["type"] == "alarm")
    assert shown == alarms
    assert len(alarms) == 5
    lines = [line for widget in widgets for line in widget["properties"].get("metrics", [])]
    assert {line[0] for line in lines} == {"Clickstream", ".", "...", "AWS/Lambda", "AWS/SQS"}
    named = json.dumps(lines)
    assert outputs["StreamTransformFunctionName"] in named
    assert outputs["DeadLetterQueueUrl"].rpartition("/")[2] in named
