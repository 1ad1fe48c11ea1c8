"""The built-in parts on a project that is not the sample: each way in, each actor and each check, in whole runs."""

from __future__ import annotations

import re

import pytest
import yaml

from harness.parts.queues import read_messages
from tests import loads
from tests.e2e.commands import ROOT

PROJECT = ROOT / "tests" / "e2e" / "project"
FIELDS = {"id": {"type": "uuid"}, "name": {"type": "name"}}


def scenario(tmp_path, send, *, source=None, probes=None, **more):
    document = {
        "description": "A project of somebody's own.",
        "stack": {"template": str(PROJECT / "template.yaml"), "parameters": {"PythonRuntime": "${emulator.python_runtime}"}},
        "source": {"kind": "synthetic", "records": 12, "id": "id", "fields": FIELDS, **(source or {})},
        "send": send,
        "probes": probes or [{"kind": "dynamodb", "table": "${outputs.Table}", "id": "id"}],
        **more,
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(document))
    return "mine.yaml"


def test_a_scenario_may_have_any_name(tmp_path, run):
    (tmp_path / scenario(tmp_path, {"to": "sqs", "queue_url": "${outputs.InQueue}"})).rename(tmp_path / "_ein lädt_1.yaml")
    code, output, result = run(tmp_path, "run", "_ein lädt_1.yaml")
    assert (code, result["verdict"]) == (0, "pass"), output


def clean(result):
    return result["verdict"] == "pass" and not any(result["anomalies"].values())


@pytest.mark.parametrize(
    ("send", "source"),
    [
        ({"to": "sqs", "queue_url": "${outputs.InQueue}"}, {}),
        ({"to": "sns", "topic_arn": "${outputs.Topic}"}, {}),
        ({"to": "eventbridge", "source": "shop", "detail_type": "order"}, {}),
        ({"to": "api", "url": "${outputs.Url}", "method": "PUT", "path": "/orders/{id}"}, {}),
        ({"to": "s3", "bucket": "${outputs.Bucket}", "key": "in/{record_id}.json"}, {}),
        ({"to": "s3", "bucket": "${outputs.Bucket}"}, {"format": "ndjson", "files": 2}),
        ({"to": "sqs", "queue_url": "${outputs.InQueue}"}, {"format": "ndjson", "files": 2}),
    ],
    ids=["sqs", "sns", "eventbridge", "http api", "s3 objects", "s3 files", "files one row at a time"],
)
def test_every_way_in_delivers_each_record_once(tmp_path, run, send, source):
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, source=source))
    assert code == 0, output
    assert (result["ingress"]["acked"], result["outcome"]["stored"]) == (12, 12)
    assert clean(result)


def test_a_dead_letter_of_sqs_is_its_message_and_a_redrive_brings_it_home(tmp_path, run):
    """Every record fails once: all end in the dead-letter queue, until somebody moves them back."""
    send = {"to": "sqs", "queue_url": "${outputs.InQueue}"}
    faults = [{"id": "fails", "kind": "lambda_error_before", "function": "FromQueue", "invocations": "1-12"}]
    probes = [
        {"kind": "dynamodb", "table": "${outputs.Table}", "id": "id"},
        {"kind": "sqs", "queue_url": "${outputs.DeadQueue}", "preset": "sqs_redrive"},
    ]
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, probes=probes, faults=faults))
    assert code == 1, output
    assert (result["outcome"]["dead_lettered"], result["anomalies"]["misrouted"]) == (12, 12)
    (cause,) = result["causes"]
    assert (cause["who"], cause["count"], cause["planned"]) == ("FromQueue", 12, 12)
    assert re.search(r"failures\n +12 x FromQueue: .*, 12 of them by planned faults; first with [0-9a-fA-F-]{36}", output)
    redrive = {"kind": "redrive", "queue_url": "${outputs.DeadQueue}", "to_queue_url": "${outputs.InQueue}"}
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, probes=probes, faults=faults, actors=[redrive]))
    assert code == 0, output
    assert (result["outcome"]["stored"], result["outcome"]["dead_lettered"]) == (12, 0)
    assert "messages back to" in output


def test_a_schedule_is_fired_by_an_actor_as_often_as_it_says(tmp_path, run):
    send = {"to": "sqs", "queue_url": "${outputs.HeldQueue}"}
    tick = {"kind": "tick", "rule": "${outputs.Rule}", "times": 2}
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, actors=[tick], schedules={"ignore": ["*"]}))
    assert code == 0, output
    assert clean(result)
    assert "(2 of 2)" in output
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, actors=[{"kind": "tick", "rule": "hourly"}]))
    assert code == 2, output
    assert result["reasons"][0].startswith("tick: there is no enabled schedule hourly; there is pp-mine-")


def test_a_task_that_waits_for_a_person_is_approved_meanwhile(tmp_path, run):
    send = {"to": "eventbridge", "source": "requests", "detail_type": "request"}
    approve = {"kind": "approve", "queue_url": "${outputs.ApprovalQueue}", "output": {"by": "the boss"}}
    source = {"records": 3, "promise": {"by": "the boss"}, "drop": ["name"]}
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, source=source, actors=[approve]))
    assert code == 0, output
    assert clean(result)
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, source=source, drain_timeout_s=3))
    assert code == 2, output
    assert "3 executions" in result["reasons"][0]


def test_a_run_tells_at_which_state_its_executions_have_failed_and_with_what(tmp_path, run):
    """The state after the decision looks for what the decision does not have."""
    send = {"to": "eventbridge", "source": "requests", "detail_type": "request"}
    approve = {"kind": "approve", "queue_url": "${outputs.ApprovalQueue}", "output": {}}
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, source={"records": 3}, actors=[approve]))
    assert code == 1, output
    (cause,) = result["causes"]
    assert (cause["who"], cause["count"], cause["planned"]) == ("Approved at Store", 3, 0)
    assert "The JSONPath '$.answer.by' could not be found" in cause["error"]
    assert cause["record"] in {example["record_id"] for example in result["examples"]["lost"]}
    assert "3 x Approved at Store: States.Runtime: " in output
    assert f"; first with {cause['record']}" in output


def test_a_lost_record_tells_what_retries_and_catches_did_with_it(tmp_path, run):
    """The table's key is another one, so that each attempt fails; the Catch goes on with a state that does nothing."""
    store = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Parameters": {"TableName": "${Table}", "Item": {"name": {"S.$": "$.detail.name"}}},
        "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "IntervalSeconds": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Forget"}],
        "End": True,
    }
    machine = {
        "Definition": {"StartAt": "Store", "States": {"Store": store, "Forget": {"Type": "Pass", "End": True}}},
        "DefinitionSubstitutions": {"Table": {"Ref": "Table"}},
        "Policies": [{"DynamoDBCrudPolicy": {"TableName": {"Ref": "Table"}}}],
        "Events": {"Asked": {"Type": "EventBridgeRule", "Properties": {"Pattern": {"source": ["requests"]}}}},
    }
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Table": {"Type": "AWS::Serverless::SimpleTable", "Properties": {"PrimaryKey": {"Name": "id", "Type": "String"}}},
            "Keep": {"Type": "AWS::Serverless::StateMachine", "Properties": machine},
        },
    }
    (tmp_path / "template.yaml").write_text(yaml.safe_dump(template))
    send = {"to": "eventbridge", "source": "requests", "detail_type": "request"}
    probes = [{"kind": "dynamodb", "table": "${resources.Table}", "id": "id"}]
    name = scenario(tmp_path, send, source={"records": 2}, probes=probes, stack={"template": "template.yaml"})
    code, output, result = run(tmp_path, "run", name)
    assert code == 1, output
    for example in result["examples"]["lost"]:
        tried, caught = (hop for hop in example["hops"] if " Keep at Store had it in " in hop)
        assert "DynamoDB" in tried
        assert tried.endswith(", and its Retry tried it again")
        assert caught.endswith(", and its Catch went on at Forget")
        assert example["last"] == caught


def test_a_plan_of_which_all_is_refused_makes_the_verdict_unknown(tmp_path, run):
    send = {"to": "eventbridge", "source": "requests", "detail_type": "request"}
    approve = {"kind": "approve", "queue_url": "${outputs.ApprovalQueue}", "output": {"by": "the boss"}}
    approve["token"] = "`no token at all`"
    code, output, result = run(
        tmp_path, "run", scenario(tmp_path, send, source={"records": 1}, actors=[approve], drain_timeout_s=10)
    )
    assert code == 2, output
    assert any(reason.startswith("actor approve, approve: all that it did was refused") for reason in result["reasons"]), output


def test_an_actor_that_had_nothing_to_act_on_makes_the_verdict_unknown(tmp_path, run):
    send = {"to": "sqs", "queue_url": "${outputs.InQueue}"}
    idle = {"kind": "redrive", "queue_url": "${outputs.DeadQueue}", "to_queue_url": "${outputs.InQueue}"}
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, actors=[idle]))
    assert code == 2, output
    assert result["reasons"] == ["actor redrive had nothing to act on"]


def test_checks_that_hold_are_told_and_those_that_do_not_fail_the_run(tmp_path, run):
    send = {"to": "s3", "bucket": "${outputs.Bucket}"}
    lake = {"uploads": {"bucket": "${outputs.Bucket}", "prefix": "input/"}}
    holds = [
        {"kind": "sql", "name": "all acked", "query": "SELECT index FROM ledger WHERE status <> 'acked'"},
        {"kind": "sql", "name": "uploads", "query": "SELECT count(DISTINCT id) FROM uploads", "equals": 12, "lake": lake},
    ]
    wrong = [
        {"kind": "sql", "name": "too many", "query": "SELECT count(*) FROM observations", "equals": 11},
        {"kind": "sql", "name": "none", "query": "SELECT 1 AS n, 'a' AS word, NULL AS hole FROM ledger"},
        {"kind": "email", "name": "mail", "to": "boss@example.org", "count": 1},
    ]
    source = {"format": "ndjson"}
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, source=source, checks=holds))
    assert code == 0, output
    assert [check["holds"] for check in result["checks"]] == [True, True]
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, source=source, checks=[*holds, *wrong]))
    assert code == 1, output
    row = '{"n": 1, "word": "a", "hole": null}'
    none = f"check none: rows that must not be: {', '.join([row] * 5)}, …"
    assert result["reasons"] == ["check too many: expected 11, found 12", none, "check mail: expected 1 e-mails, found 0"]
    assert not any(result["anomalies"].values())


def test_a_check_reads_the_partitions_that_the_keys_name_whatever_stands_in_them(tmp_path, run):
    send = {"to": "s3", "bucket": "${outputs.Bucket}"}
    lake = {"uploads": {"bucket": "${outputs.Bucket}", "prefix": "input/"}}
    source = {"format": "ndjson", "prefix": "input/kind=a?b*[c] d/of=50%25/"}
    query = "SELECT kind || of FROM uploads GROUP BY 1"
    checks = [{"kind": "sql", "name": "partitions", "query": query, "equals": "a?b*[c] d50%", "lake": lake}]
    code, output, _ = run(tmp_path, "run", scenario(tmp_path, send, source=source, checks=checks))
    assert code == 0, output


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"kind": "sql", "name": "q", "query": "SELECT nothing FROM ledger"}, "check q could not be made: the query cannot be run"),
        ({"kind": "alarm", "name": "a", "alarm": "none"}, "check a could not be made: there is no alarm none"),
        ({"kind": "metric", "name": "m", "namespace": "Own", "metric": "Rows", "equals": 3}, "the metric Own Rows has no data"),
    ],
)
def test_a_check_that_cannot_be_made_makes_the_verdict_unknown(tmp_path, run, check, said):
    send = {"to": "sqs", "queue_url": "${outputs.InQueue}"}
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, checks=[check]))
    assert code == 2, output
    assert said in result["reasons"][0]


def test_a_stack_needs_no_outputs(tmp_path, run):
    """Resources are named as the template has them, and by their attributes."""
    send = {"to": "sqs", "queue_url": "${resources.InQueue}"}
    probes = [{"kind": "dynamodb", "table": "${resources.Table}", "id": "id"}]
    check = {"kind": "metric", "namespace": "AWS/SQS", "metric": "NumberOfMessagesSent", "equals": 12}
    dimensions = {"QueueName": "${resources.InQueue.QueueName}"}
    code, output, result = run(
        tmp_path, "run", scenario(tmp_path, send, probes=probes, checks=[check | {"dimensions": dimensions}])
    )
    assert code == 0, output
    assert result["outcome"]["stored"] == 12
    assert clean(result)


def with_runtime(tmp_path, runtime):
    """A scenario of the project whose functions name this runtime."""
    name = scenario(tmp_path, {"to": "sqs", "queue_url": "${outputs.InQueue}"})
    document = yaml.safe_load((tmp_path / name).read_text())
    document["stack"]["parameters"]["PythonRuntime"] = runtime
    (tmp_path / name).write_text(yaml.safe_dump(document))
    return name


def test_functions_of_another_python_run_and_the_run_says_so(tmp_path, run, emulator):
    code, output, result = run(tmp_path, "run", with_runtime(tmp_path, "python3.8"))
    assert code == 0, output
    assert f"runs python3.8 on {emulator.python_runtime}" in output
    assert result["emulator"]["runtimes"] == {"python3.8": emulator.python_runtime}
    assert clean(result)


@pytest.mark.parametrize(
    ("runtime", "options", "said"),
    [
        ("python3.8", ["--strict-runtime"], "runtime python3.8: the emulator has"),
        ("ruby3.3", [], "runtime ruby3.3: this emulator runs python3.*"),
    ],
)
def test_functions_that_do_not_run_here_are_named_before_anything_is_deployed(tmp_path, run, runtime, options, said):
    code, output, _ = run(tmp_path, "run", with_runtime(tmp_path, runtime), *options)
    assert code == 64, output
    named = re.findall(r"template\.yaml:\d+: (\w+): " + re.escape(said), output)
    assert {"FromQueue", "FromTopic"} <= set(named)


def test_an_unknown_output_is_named_with_its_line_before_anything_is_deployed(tmp_path, run):
    send = {"to": "sqs", "queue_url": "${outputs.InQueu}"}
    code, output, _ = run(tmp_path, "run", scenario(tmp_path, send))
    assert code == 64, output
    assert re.search(r"mine\.yaml:\d+: send\.queue_url: \$\{outputs\.InQueu\} is not known; there is outputs\.InQueue", output)
    assert "deploy" not in output


def test_a_reading_of_a_queue_that_ends_early_hides_no_message(clients):
    sqs = clients("sqs")
    url = sqs.create_queue(QueueName="read-in-part")["QueueUrl"]
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    reading = read_messages(loads.context(clients), url)
    next(reading)
    reading.close()
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == ("3", "0")
