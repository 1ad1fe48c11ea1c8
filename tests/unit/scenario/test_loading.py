"""Scenario files: all that are shipped load, and what is wrong is named with line, key and remedy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.scenario.catalogue import BUILT_IN, find_scenario, scenario_files
from harness.scenario.loading import load_scenario, scenario_of
from harness.scenario.references import resources_named, substitute, unknown

SMOKE = (BUILT_IN / "clickstream-smoke.yaml").read_text().replace("../", f"{BUILT_IN.parent}/")


@pytest.mark.parametrize("name", scenario_files())
def test_every_shipped_scenario_loads_and_has_one_line(name):
    scenario = load_scenario(scenario_files()[name])
    assert scenario.stack.template.is_file()
    assert scenario.description
    assert "\n" not in scenario.description


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  records: 2000", "  record: 2000", "s.yaml:9: source.record: unknown key; did you mean records?"),
        ("  records: 2000", "  records: many", "s.yaml:9: source.records: Input should be a valid integer"),
        ("  records: 2000", "  records: 0", "s.yaml:9: source.records: Input should be greater than 0"),
        ("    share: 0.05", "    share: 5", "s.yaml:11: source.malformed.share: Input should be less than or equal to 1"),
        ("    share: 0.05", "    share: 0.05\n    kinds: [typo]", "source.malformed.kinds.0: 'typo' is not one of bad_json"),
        ("  to: kinesis", "  to: kinesiz", "s.yaml:13: send.to: 'kinesiz' is no ingress; did you mean kinesis?"),
        ("    prefix: events/", "    prefix: 5", "s.yaml:18: probes.0.prefix: Input should be a valid string"),
        ("    prefix: events/", "    prefx: e", "s.yaml:18: probes.0.prefx: unknown key; did you mean prefix? Allowed here: kind"),
        ("description:", "descripton:", "s.yaml:1: descripton: unknown key; did you mean description?"),
        ("probes:", "probs:", "probes: Field required"),
        ("source:", "source: [", "is not YAML"),
        ("source:", "source: [", "/s.yaml:9, column"),
        ("iam: enforce", "iam: enforc", "s.yaml:6: iam: 'enforc' is not 'enforce', 'report' or 'off'; did you mean enforce?"),
        (
            "send:",
            "faults: [{kind: throttle, service: s3, calls: 0-2}]\nsend:",
            "faults.0.calls: '0-2': calls and invocations count from 1",
        ),
        (
            "send:",
            "faults: [{kind: throttle, service: s3, operation: PutObject, resource: UsersTable}]\nsend:",
            "s.yaml:12: faults.0.resource: UsersTable is AWS::DynamoDB::Table: calls of s3 do not name it",
        ),
        (
            "send:",
            "faults: [{kind: throttle, service: s3}, {kind: lambda_timeout, function: Ingest}]\nsend:",
            "s.yaml:12: faults.1.function: Ingest is no function of the template; did you mean IngestFunction?",
        ),
        (
            "send:",
            "chaos: {pick: 1, of: [{id: a, kind: cut, service: s3}, {kind: cut, service: s3, after: a}]}\nsend:",
            "s.yaml:12: chaos.of: after and repeats name another fault, which may not be picked: write such a pair as faults",
        ),
        ("description:", "description: 2026-02-30\nwhen:", "is not YAML: day is out of range"),
        ("  records: 2000", "  records: " + "9" * 5000, "has a number of more than 4,096 characters"),
        ("send:", "drain_timeout_s: 1.0e+308\nsend:", "drain_timeout_s: Input should be less than or equal to 604800"),
        ("send:", "kept_for_hours: 1.0e+308\nsend:", "kept_for_hours: Input should be less than or equal to 876000"),
        (
            "  to: kinesis",
            "  to: kinesis\n  rate: {shape: constant, records_per_s: 1.0e-300}",
            "records_per_s: Input should be greater than or equal to 0.001",
        ),
        ("send:", f"schedules: {{rounds: {10**30}}}\nsend:", "schedules.rounds: Input should be less than or equal to 1000"),
        (
            "send:",
            "faults: [{kind: lambda_timeout, function: F, calls: 1}]\nsend:",
            "calls: unknown key; did you mean invocations?",
        ),
        (
            "send:",
            "faults: [{kind: lambda_error, function: F, invocations: 1}]\nsend:",
            "faults.0: 'lambda_error' is no kind; did you mean lambda_error_after or lambda_error_before",
        ),
        ("source:", "source: " + "[" * 3000, "is nested more than 100 deep"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, old, new, said):
    assert old in SMOKE
    path = tmp_path / "s.yaml"
    path.write_text(SMOKE.replace(old, new, 1))
    with pytest.raises(UsageError) as refused:
        load_scenario(path)
    assert said in str(refused.value)


def test_a_load_of_files_without_an_end_is_refused(tmp_path):
    path = tmp_path / "s.yaml"
    students = scenario_files()["students"].read_text().replace("../", f"{scenario_files()['students'].parents[1]}/")
    path.write_text(re.sub(r"  files: \d+\n", f"  files: {10**30}\n", students))
    with pytest.raises(UsageError, match=r"source\.files: Input should be less than or equal to 1000000"):
        load_scenario(path)


@pytest.mark.parametrize("name", scenario_files())
def test_a_scenario_that_was_written_down_is_the_same_wherever_it_is_read(name, tmp_path):
    """A run's directory holds it as JSON, from which `replay` makes it again."""
    scenario = load_scenario(scenario_files()[name])
    document = json.loads(json.dumps(scenario.document()))
    again = scenario_of(document, tmp_path)
    assert again.document() == scenario.document()
    assert [type(part) for part in (again.source, again.send, *again.probes)] == [
        type(part) for part in (scenario.source, scenario.send, *scenario.probes)
    ]


def test_an_unknown_scenario_names_the_near_ones():
    with pytest.raises(UsageError, match="did you mean clickstream-10k or clickstream-100k"):
        find_scenario("clikstream-10k")


def test_a_scenario_of_the_current_directory_hides_a_built_in_one(tmp_path, monkeypatch):
    (tmp_path / "scenarios").mkdir()
    mine = tmp_path / "scenarios" / "clickstream-smoke.yaml"
    mine.write_text(SMOKE)
    monkeypatch.chdir(tmp_path)
    assert find_scenario("clickstream-smoke")[1] == mine


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("outputs.EventStreamName", "outputs.EventStremName", ":14: send.stream: ${outputs.EventStremName} is not known; there is outputs.EventStreamName"),
        ("outputs.EventBucketName", "resources.EventBuckt", ":17: probes.0.bucket: ${resources.EventBuckt} is not known; there is resources.EventBucket"),
        ("outputs.EventBucketName", "acount", ":17: probes.0.bucket: ${acount} is not known; there is account"),
        ("emulator.python_runtime", "outputs.EventBucketName", ":5: stack.parameters.PythonRuntime: ${outputs.EventBucketName} is not known; there is account, em"),
    ],
)  # fmt: skip
def test_a_reference_to_what_the_template_does_not_have_is_named_by_its_line(tmp_path, old, new, said):
    path = tmp_path / "s.yaml"
    path.write_text(SMOKE.replace(old, new, 1))
    with pytest.raises(UsageError) as refused:
        load_scenario(path)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "name", ["resources.EventBucket", "resources.EventBucket.Arn", "resources.IngestFunctionRole", "resources.ServerlessRestApi"]
)
def test_what_the_template_has_may_be_named_and_what_sam_makes_of_it(tmp_path, name):
    path = tmp_path / "s.yaml"
    path.write_text(SMOKE.replace("outputs.EventBucketName", name, 1))
    scenario = load_scenario(path)
    assert resources_named(scenario.document()) == [name.removeprefix("resources.")]


@pytest.mark.parametrize("section", ["Resources", "Outputs"])
def test_a_template_with_a_macro_may_have_more_than_it_names(section):
    template = {"Resources": {"A": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"B": {"Value": "b"}}}
    document = {"send": {"url": "${outputs.Other}", "more": ["${resources.Else.Arn}", "${account}"]}}
    assert [place for place, _ in unknown(document, template)] == [("send", "url"), ("send", "more", 0)]
    template[section]["Fn::ForEach::Loop"] = []
    assert list(unknown(document, template)) == []


@pytest.mark.parametrize(
    ("transform", "is_checked"),
    [
        ("AWS::Serverless-2016-10-31", True),
        (["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"], True),
        ("Our::Macro", False),
        ({"Name": "AWS::Include", "Parameters": {}}, False),
    ],
)
def test_a_macro_of_the_whole_template_may_add_resources(transform, is_checked):
    template = {"Transform": transform, "Resources": {"A": {"Type": "AWS::SQS::Queue"}}}
    assert bool(list(unknown({"send": {"url": "${resources.Other}"}}, template))) == is_checked


def test_only_what_sam_makes_of_its_own_resources_may_begin_like_one():
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}, "Store": {"Type": "AWS::Serverless::Function"}}}
    document = {"send": {"role": "${resources.StoreRole.Arn}", "url": "${resources.QueueUrl}"}}
    assert [place for place, _ in unknown(document, template)] == [("send", "url")]


def test_references_are_replaced_and_unknown_ones_named():
    assert substitute("a-${outputs.X}-b", {"outputs.X": "1"}, "here") == "a-1-b"
    with pytest.raises(UsageError, match=r"send.stream: \$\{outputs.Strem\} is not known; there is outputs.Stream"):
        substitute("${outputs.Strem}", {"outputs.Stream": "s"}, "send.stream")


MINE = """description: d
stack: {template: t.yaml}
source:
  kind: synthetic
  records: 5
  id: id
  fields:
    id: {type: uuid}
    n: {type: nested, fields: {x: {type: int}}}
send: {to: sqs, queue_url: q}
probes: [{kind: sqs, queue_url: q}]
checks:
  - {kind: sql, query: "SELECT 1 WHERE false", equals: null, lake: {a: {bucket: b}}}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{type: uuid}", "{type: uuid, mn: 3}", "m.yaml:8: source.fields.id.mn: unknown key. Allowed here: null, type"),
        (
            "{x: {type: int}}",
            "{x: {type: int, mn: 3}}",
            "fields.x.mn: unknown key; did you mean min? Allowed here: null, type, min",
        ),
        ("{a: {bucket: b}}", "{a: {bucket: b, prefx: 1}}", "lake.a.prefx: unknown key; did you mean prefix? Allowed here: bucket"),
        ("{kind: sqs, queue_url: q}", '{use: "./a\\0b.py:X"}', "probes.0.use:"),
        ("{kind: sqs, queue_url: q}", '{use: "./' + "a" * 5000 + '.py:X"}', "is no path of a file"),
    ],
)
def test_keys_of_fields_and_of_tables_are_checked_too(tmp_path, old, new, said):
    assert old in MINE
    (tmp_path / "m.yaml").write_text(MINE.replace(old, new))
    with pytest.raises(UsageError) as refused:
        load_scenario(tmp_path / "m.yaml")
    assert said in str(refused.value)


def test_a_key_that_is_null_stays_one_when_the_scenario_is_written_down(tmp_path):
    (tmp_path / "m.yaml").write_text(MINE)
    (tmp_path / "t.yaml").write_text("Resources: {}")
    scenario = load_scenario(tmp_path / "m.yaml")
    again = scenario_of(json.loads(json.dumps(scenario.document())), tmp_path)
    assert "equals" in scenario.checks[0].model_fields_set
    assert "equals" in again.checks[0].model_fields_set


@pytest.mark.parametrize(
    "text", ["Resources: {Q: {Type: AWS::SQS::Queue}}", "Resources: {Q: {Type: AWS::SQS::Queue}}\nOutputs: {Q: {Value: !Ref Q}}"]
)
def test_a_template_is_no_scenario(tmp_path, text):
    path = tmp_path / "template.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"is a template, and not a scenario: `pipeproof init .*template.yaml` writes"):
        load_scenario(path)


def test_a_key_that_stands_twice_is_told_with_both_lines(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(SMOKE.replace("  records: 2000", "  records: 2000\n  records: 20", 1))
    with pytest.raises(UsageError, match=r"s\.yaml:10: records stands here twice, first in line 9"):
        load_scenario(path)


def test_where_a_template_has_no_output_of_a_name_its_resource_is_named(tmp_path):
    template = {"Resources": {"Lake": {"Type": "AWS::S3::Bucket"}}}
    ((_, message),) = unknown({"probes": [{"bucket": "${outputs.Lake}"}]}, template)
    assert message == "${outputs.Lake} is not known; there is resources.Lake"


@pytest.mark.parametrize(("template", "said"), [("gone.yaml", "No such file"), (".", "Is a directory")])
def test_a_template_that_is_not_there_is_told_with_its_line(tmp_path, template, said):
    path = tmp_path / "s.yaml"
    path.write_text(re.sub(r"template: .*", f"template: {template}", SMOKE, count=1))
    with pytest.raises(UsageError, match=rf"s\.yaml:\d+: stack\.template: template .*{said}"):
        load_scenario(path)


def test_a_file_of_that_name_is_nearer_than_a_shipped_scenario(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pipeproof.yaml").write_text("")
    with pytest.raises(UsageError, match=r"did you mean the file pipeproof\.yaml"):
        find_scenario("pipeproof")
