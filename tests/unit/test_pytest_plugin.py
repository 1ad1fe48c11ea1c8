"""pipeproof under pytest, as far as no emulator is needed: what is collected, and what is refused."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

SCENARIO = """
description: Orders into a bucket.
stack: {template: template.yaml}
source: {kind: synthetic, records: 5, id: id, fields: {id: {type: uuid}}}
send: {to: sqs, queue_url: "${resources.Events}"}
probes: [{kind: s3, bucket: "${resources.Stored}", format: json, id: id}]
"""
TEMPLATE = """
Resources:
  Events: {Type: AWS::SQS::Queue}
  Stored: {Type: AWS::S3::Bucket}
"""


@pytest.fixture
def project(pytester):
    """Returns a project with a scenario."""
    pytester.makefile(".yaml", orders=SCENARIO, template=TEMPLATE, other="just: yaml")
    return pytester


def collected(project, *args):
    return [line for line in project.runpytest_subprocess("--collect-only", "-q", *args).outlines if "::" in line]


def test_a_scenario_file_that_is_named_is_a_test(project):
    assert collected(project, "orders.yaml") == ["orders.yaml::orders"]


def test_yaml_that_is_not_named_is_none(project):
    assert collected(project) == []


def test_files_that_the_settings_name_are_tests(project):
    project.makeini("[pytest]\npipeproof_scenarios = ord*.yaml")
    assert collected(project) == ["orders.yaml::orders"]


def test_a_scenario_with_a_mistake_is_told_with_file_and_line(project):
    project.makefile(".yaml", orders=SCENARIO.replace("kind: synthetic", "kind: synthetik"))
    result = project.runpytest_subprocess("orders.yaml")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*orders.yaml:3: source*synthetik*"])
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(("marker", "fixture"), [("scenario", "account"), ("stack", "stack")])
def test_a_marker_that_would_do_nothing_is_refused(project, marker, fixture):
    project.makepyfile(f"import pytest\n@pytest.mark.{marker}('orders.yaml')\ndef test_it(): pass")
    result = project.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*test_it: @pytest.mark.{marker} does nothing*fixture {fixture}"])


WRONG = {
    "": "*--emulator nowhere: expected auto, embedded, container*",
    ", faults=[{'kind': 'throttle', 'calls': '3'}]": "faults.0.throttle.service: Field required",
    ", records=0": "records=0: expected a whole number, 1 or more",
    ", seed='x'": "seed='x': expected a whole number, 0 or more",
    ", verdict='failed'": "verdict='failed': expected pass, fail or unknown, or None",
    ", verdikt='pass'": "@pytest.mark.scenario has no 'verdikt'; it takes seed, records, *verdict",
}


def test_what_is_wrong_before_a_run_is_a_failure_of_the_test_without_a_traceback(project):
    tests = [
        f"@pytest.mark.scenario('orders.yaml'{options})\ndef test_{number}(account): raise ValueError('the test has run')"
        for number, options in enumerate(WRONG)
    ]
    tests.append("def test_of_no_file(run_scenario): run_scenario('ordres.yaml')")
    tests += [f"def test_without_a_marker_for_{fixture}({fixture}): pass" for fixture in ("account", "stack")]
    project.makepyfile("\n".join(["import pytest", *tests]))
    result = project.runpytest_subprocess("--pipeproof-emulator", "nowhere")
    result.assert_outcomes(failed=len(WRONG) + 1, errors=2)
    for told in WRONG.values():
        result.stdout.fnmatch_lines([told])
    result.stdout.fnmatch_lines(["*ordres.yaml does not exist"])
    result.stdout.fnmatch_lines_random([f"*the fixture `{fixture}` needs @pytest.mark.*" for fixture in ("account", "stack")])
    result.stdout.no_fnmatch_line("*harness/*.py:*")
    result.stdout.no_fnmatch_line("*the test has run*")
