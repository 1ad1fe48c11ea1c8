"""What is refused before a run on AWS makes anything: what cannot be there, and what is not the stack's."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.run.on_aws import refuse, require_budget
from harness.run.recipe import make_recipe, open_load
from harness.scenario.catalogue import find_scenario, scenario_files
from harness.scenario.loading import load_scenario

OWN = """
description: a scenario
stack: {{template: {template}}}
source: {{kind: clickstream, records: 10}}
send: {send}
probes:
  - {probe}
{more}
"""
SEND, PROBE = '{to: kinesis, stream: "${outputs.EventStreamName}"}', '{kind: s3, bucket: "${outputs.EventBucketName}", id: eventId}'


def recipe(tmp_path, send=SEND, probe=PROBE, more=""):
    template = Path("pipeline/clickstream/template.yaml").resolve()
    (tmp_path / "own.yaml").write_text(OWN.format(template=template, send=send, probe=probe, more=more))
    return make_recipe("own", load_scenario(tmp_path / "own.yaml"))


def test_a_scenario_of_the_stack_alone_is_not_refused(tmp_path):
    refuse(recipe(tmp_path))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"send": "{to: kinesis, stream: events}"}, "send.stream: 'events' is not of the stack"),
        ({"send": "{to: sqs, queue_url: 'https://sqs.eu-central-1.amazonaws.com/1/q'}"}, "send.queue_url: 'https"),
        ({"send": "{to: eventbridge, source: a, detail_type: b}"}, "send.bus: 'default' is not of the stack"),
        ({"send": "{to: api, url: 'https://example.com'}"}, "send.url: 'https://example.com' is not of the stack"),
        ({"probe": "{kind: s3, bucket: my-bucket, id: eventId}"}, "probes.0.bucket: 'my-bucket' is not of the stack"),
        ({"more": "actors: [{kind: redrive, queue_url: mine, to_queue_url: '${outputs.DeadLetterQueueUrl}'}]"}, "actors.0.queue_url: 'mine'"),
        ({"more": "setup: {items: [{table: mine, items: [{a: b}]}]}"}, "setup.items.0.table: 'mine' is not of the stack"),
        ({"more": "setup: {parameters: {/a/b: c}}"}, "setup.parameters: they would replace"),
        ({"more": "checks: [{kind: sql, query: 'SELECT 1', lake: {t: {bucket: mine}}}]"}, "checks.0.lake.t.bucket: 'mine'"),
        (
            {"probe": "{kind: anywhere, places: [{topic_arn: '${resources.AlertTopic}', outcome: alerted}]}"},
            "probes.0: it makes what the stack does not have: a queue that is subscribed to ${resources.AlertTopic}",
        ),
        ({"send": "{to: api, url: '${endpoint}/${outputs.EventApiId}'}"}, "${endpoint}: there is no emulator"),
        ({"more": "faults: [{kind: throttle, service: s3}]"}, "cannot be disturbed from here"),
        ({"more": "chaos: {pick: 1, of: [{kind: throttle, service: s3}]}"}, "cannot be disturbed from here"),
    ],
)  # fmt: skip
def test_what_is_not_the_stacks_or_cannot_be_there_is_refused_by_name(tmp_path, parts, says):
    with pytest.raises(UsageError) as refused:
        refuse(recipe(tmp_path, **parts))
    assert says in str(refused.value)


def test_a_probe_that_looks_anywhere_may_look_there(tmp_path):
    refuse(
        recipe(tmp_path, probe="{kind: anywhere, places: [{queue_url: '${outputs.DeadLetterQueueUrl}', outcome: dead_lettered}]}")
    )


def test_all_of_it_is_told_at_once(tmp_path):
    with pytest.raises(UsageError) as refused:
        refuse(recipe(tmp_path, send="{to: kinesis, stream: events}", more="setup: {secrets: {a: {value: b}}}"))
    assert len(str(refused.value).splitlines()) == 3


def test_records_may_be_spoilt_there(tmp_path):
    refuse(recipe(tmp_path, more="faults: [{kind: record, malform: truncated, records: '3'}]"))


def test_settings_may_be_faults_there(tmp_path):
    settings = "{kind: reserved_concurrency, function: IngestFunction}, {kind: timeout, function: IngestFunction, seconds: 1}"
    refuse(recipe(tmp_path, more=f"faults: [{settings}]"))


def test_of_each_system_of_the_sample_one_scenario_may_run_there():
    may = set()
    for name, path in scenario_files().items():
        try:
            made = make_recipe(name, load_scenario(path), records=20)
            refuse(made, served_url="https://tunnel.example")
            require_budget(made, open_load(made), 1000)
        except UsageError:
            continue
        may.add(name)
    assert {
        "approvals",
        "bronze",
        "clickstream-smoke",
        "customers",
        "lake",
        "logs",
        "orders-smoke",
        "purchases",
        "records",
        "students",
    } <= may


def test_a_run_that_may_cost_more_is_refused():
    _, path = find_scenario("clickstream-smoke")
    made = make_recipe("clickstream-smoke", load_scenario(path))
    told = require_budget(made, open_load(made), 10)
    assert told.startswith("about ")
    assert "for 2,000 records" in told
    with pytest.raises(UsageError, match=r"--max-usd 0\.01: this run may cost about .* US\$ for 2,000 records"):
        require_budget(made, open_load(made), 0.01)


def test_a_template_with_something_that_has_no_price_is_refused(tmp_path):
    (tmp_path / "template.yaml").write_text("Resources: {D: {Type: AWS::RDS::DBInstance}, S: {Type: AWS::Kinesis::Stream}}\n")
    document = OWN.format(template=tmp_path / "template.yaml", send='{to: kinesis, stream: "${resources.S}"}', probe="{kind: sqs, queue_url: '${resources.S}', outcome: stored}", more="")  # fmt: skip
    (tmp_path / "own.yaml").write_text(document)
    made = make_recipe("own", load_scenario(tmp_path / "own.yaml"))
    with pytest.raises(UsageError, match="what AWS::RDS::DBInstance costs is not known here"):
        require_budget(made, open_load(made), 1000)
