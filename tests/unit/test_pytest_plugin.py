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


def test_a_scenario_with_a_mistake_is_told_with_file_and_line(project):
    project.makefile(".yaml", orders=SCENARIO.replace("kind: synthetic", "kind: synthetik"))
    result = project.runpytest_subprocess("orders.yaml")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*orders.yaml:3: source*synthetik*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_files_that_the_settings_name_are_tests_beside_those_of_testpaths(project):
    project.makeini("[pytest]\npipeproof_scenarios = ord*.yaml **/deep/*.yaml\ntestpaths = tests")
    (project.mkdir("tests") / "test_it.py").write_text("def test_it(): pass")
    (project.mkdir("deep") / "more.yaml").write_text(SCENARIO.replace("template.yaml", "../template.yaml"))
    assert sorted(collected(project)) == ["deep/more.yaml::more", "orders.yaml::orders", "tests/test_it.py::test_it"]


@pytest.mark.parametrize("glob", ["no*.yaml", "/abs/*.yaml"])
def test_a_setting_that_names_no_file_is_refused(project, glob):
    project.makeini(f"[pytest]\npipeproof_scenarios = {glob}")
    result = project.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: pipeproof_scenarios: {glob}*"])


def test_a_template_that_is_named_says_that_it_is_no_scenario(project):
    (project.path / "template.yaml").write_text("Resources:\n  Queue: {Type: AWS::SQS::Queue}\n")
    result = project.runpytest_subprocess("template.yaml")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*is a template, and not a scenario: `pipeproof init *"])


def test_yaml_of_another_plugin_is_left_to_it(project):
    project.makeconftest(
        """
        import pytest
        class Theirs(pytest.Item):
            def runtest(self):
                pass
        class Other(pytest.File):
            def collect(self):
                yield Theirs.from_parent(self, name="theirs")
        def pytest_collect_file(file_path, parent):
            if file_path.name == "other.yaml":
                return Other.from_parent(parent, path=file_path)
        """
    )
    assert collected(project, "other.yaml") == ["other.yaml::theirs"]


WRONG = {
    "": "*--emulator nowhere: expected auto, embedded, container*",
    ", faults=[{'kind': 'throttle', 'calls': '3'}]": "faults.0.throttle.service: Field required",
    ", faults=5": "faults=5: expected a list",
    ", faults=(f for f in ())": "faults=<generator *: expected a list",
    ", records=0": "records=0: expected a whole number, 1 or more",
    ", seed='x'": "seed='x': expected a whole number, 0 or more",
    ", verdict='unknown'": "verdict='unknown': expected 'pass', 'fail' or None",
    ", verdict=['pass']": "verdict=*'pass'*: expected 'pass', 'fail' or None",
    ", verdikt='pass'": "@pytest.mark.scenario has no 'verdikt'; it takes seed, records, *verdict",
    ", 'another.yaml'": "@pytest.mark.scenario takes one file, *",
}
# Each would pass if it were left alone: its scenario has not run.
NOT_RUN = """
@pytest.mark.scenario("orders.yaml")
def test_without_the_fixture(): pass

@pytest.mark.stack("template.yaml")
def test_without_the_other_fixture(): pass

@pytest.mark.parametrize("account", [1])
@pytest.mark.scenario("orders.yaml")
def test_with_a_parameter_of_that_name(account): pass

class TestOwn:
    @pytest.fixture
    def account(self): return 1

    @pytest.mark.scenario("orders.yaml")
    def test_with_a_fixture_of_that_name(self, account): pass

def test_in_its_body(request):
    request.node.add_marker(pytest.mark.scenario("ordres.yaml"))
    request.getfixturevalue("account")

@pytest.mark.scenario("ordres.yaml")
@pytest.mark.scenario("orders.yaml")
def test_with_two_markers(account): pass

def test_of_no_file(run_scenario): run_scenario("ordres.yaml")

def test_without_a_marker(account): pass
"""
ERRORS = """
@pytest.fixture
def stored(account): return account.outcome["stored"]

@pytest.mark.scenario("ordres.yaml")
def test_of_a_fixture_that_takes_it(stored): pass

def test_of_a_stack_without_a_marker(stack): pass

def test_of_an_emulator(pipeproof_emulator): pass
"""
FINE = """
@pytest.mark.stack
def test_whose_marker_is_the_users_own(): pass
"""


def test_what_is_wrong_before_a_run_is_a_failure_of_the_test_without_a_traceback(project):
    tests = [
        f"@pytest.mark.scenario('orders.yaml'{options})\ndef test_{number}(account): raise ValueError('the test has run')"
        for number, options in enumerate(WRONG)
    ]
    project.makepyfile("\n".join(["import pytest", *tests, NOT_RUN, ERRORS, FINE]))
    result = project.runpytest_subprocess("--pipeproof-emulator", "nowhere", "-rN")
    result.assert_outcomes(failed=len(WRONG) + 8, errors=3, passed=1)
    for told in WRONG.values():
        result.stdout.fnmatch_lines([told])
    said = result.stdout.str()
    assert said.count("@pytest.mark.scenario has done nothing: the test does not take the fixture `account`") == 3
    assert said.count("@pytest.mark.stack has done nothing: the test does not take the fixture `stack`") == 1
    # In the body, by the function, and for the fixture that takes the account.
    assert said.count("ordres.yaml does not exist") == 3
    assert "several markers @pytest.mark.scenario" in said
    assert said.count("the fixture `account` needs @pytest.mark.scenario") == 1
    assert said.count("the fixture `stack` needs @pytest.mark.stack") == 1
    result.stdout.no_fnmatch_line("*harness/*.py:*")
    result.stdout.no_fnmatch_line("*the test has run*")


def test_a_try_of_a_test_does_not_remember_the_one_before(project):
    project.makeconftest(
        """
        from _pytest.runner import runtestprotocol
        def pytest_runtest_protocol(item, nextitem):
            for again in (False, True):
                reports = runtestprotocol(item, nextitem=nextitem, log=False)
            (item.path.parent / "last").write_text(next(report.longreprtext for report in reports if report.failed))
            return True
        """
    )
    project.makepyfile(
        """
        import itertools, pytest
        tries = itertools.count()
        @pytest.fixture(autouse=True)
        def another(request):
            name = f"try-{next(tries)}.yaml"
            request.node.own_markers[:] = [pytest.mark.scenario(name).mark]
        def test_it(another, account): pass
        """
    )
    project.runpytest_subprocess()
    assert "try-1.yaml" in (project.path / "last").read_text()


def test_workers_start_whatever_the_temporary_directory_is_called(project, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(project.mkdir("t" * 120)))
    project.makepyfile("def test_it(): pass")
    project.runpytest_subprocess("-n", "1").assert_outcomes(passed=1)
