"""`pipeproof explore` on a real emulator: it finds the swallowed error, makes it small, and writes it down so that it fails by itself."""

from __future__ import annotations

import signal

import pytest
import yaml

from harness.emulator.clients import Clients
from harness.stack.resources import made_resources
from tests.e2e.commands import leftovers, pipeproof, start
from tests.e2e.swallowing import KEEP, write_project


@pytest.fixture
def project(tmp_path):
    write_project(tmp_path)
    return tmp_path


def test_a_swallowed_error_is_found_made_small_and_fails_by_itself(project):
    code, output, _ = pipeproof(project, "explore", "orders.yaml", "--records", "12", "--schedules", "6")
    assert code == 1, output
    assert "error AccessDenied of Keep → s3.PutObject of Stored, call 1: 1 lost; 10 of 10 runs" in output
    (path,) = (project / "found").glob("*.yaml")
    (fault,) = yaml.safe_load(path.read_text())["faults"]
    assert fault == {
        "kind": "error", "service": "s3", "operation": "PutObject", "caller": "Keep", "resource": "Stored", "calls": "1",
        "code": "AccessDenied", "status": 403,
    }  # fmt: skip
    code, output, result = pipeproof(project, "run", path)
    assert code == 1, output
    assert (result["anomalies"]["lost"], result["ingress"]["offered"]) == (1, 12)
    assert not leftovers(project)


def test_a_loss_that_comes_on_a_second_emulator_too_is_the_pipelines(project, emulator):
    args = "--records", "12", "--schedules", "6", "--first", "--second-emulator", emulator.endpoint
    code, output, _ = pipeproof(project, "explore", "orders.yaml", *args)
    assert code == 1, output
    assert "1. cause: the pipeline: it fails in 3 of 3 runs on" in output
    assert "the pipeline: it fails in 3 of 3 runs on" in next(project.glob("runs/*-explore-orders/search.html")).read_text()
    code, output, _ = pipeproof(project, "explore", "orders.yaml", *args[:-1], "elsewhere")
    assert (code, "--second-emulator elsewhere" in output) == (64, True), output


def test_a_search_goes_on_where_the_last_one_ended(project):
    code, output, _ = pipeproof(project, "explore", "orders.yaml", "--records", "12", "--schedules", "1")
    assert (code, "26 schedules of one fault" in output) == (0, True), output
    # The next one finds the swallowed error.
    code, output, _ = pipeproof(project, "explore", "orders.yaml", "--records", "12", "--schedules", "1", "--resume")
    assert (code, "25 schedules of one fault; 1 more known to survive" in output) == (1, True), output
    code, output, _ = pipeproof(project, "explore", "orders.yaml", "--records", "13", "--schedules", "1", "--resume")
    assert (code, "known to survive" in output) == (0, False), output


def test_the_first_finding_breaks_off_what_still_runs(project):
    """All outages have begun by then, and each would last until its faults end."""
    code, output, _ = pipeproof(project, "explore", "orders.yaml", "--records", "12", "--first", "--workers", "2")
    assert code == 1, output
    assert "call 1: 1 lost; 10 of 10 runs" in output
    assert "0 without a verdict" in output
    assert "0 left" not in output.splitlines()[-2], output
    assert not leftovers(project)


def test_a_search_at_an_endpoint_that_stays_is_interrupted_and_leaves_no_stack_there(project, emulator):
    process = start(project, "explore", "orders.yaml", "--records", "12", "--workers", "2", "--emulator", emulator.endpoint)
    # By then stacks stand, and schedules run on them.
    survived = next((line for line in process.stdout if "survived" in line), "")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert (process.returncode, bool(survived)) == (130, True), output
    accounts = [f"{number:012d}" for number in range(1, 30)]
    assert [one for account in accounts for one in made_resources(Clients(emulator.endpoint, account))] == []


def test_what_loses_without_a_fault_is_told_at_once(project):
    (project / "functions" / "keep.py").write_text(KEEP.replace("s3.put_object(", "str("))
    code, output, _ = pipeproof(project, "explore", "orders.yaml", "--records", "3")
    assert code == 1, output
    assert "without any fault: 3 lost" in output


@pytest.mark.parametrize(("args", "told"), [(("--budget", "soon"), "is no duration"), (("--depth", "3"), "3 is not in the range")])
def test_what_cannot_be_is_refused(project, args, told):
    code, output, _ = pipeproof(project, "explore", "orders.yaml", *args)
    assert (code, told in output) == (64, True), output
