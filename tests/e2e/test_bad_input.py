"""Whatever a person gets wrong: one clear message, the right exit code, nothing left running, never a traceback."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess

import pytest

from tests.e2e.commands import ROOT, leftovers, pipeproof

NO_EMULATOR = [
    pytest.param(("run", "clickstream-smok"), ["clickstream-smoke", "pipeproof list"], id="unknown scenario"),
    pytest.param(("run", "nowhere.yaml"), ["nowhere.yaml does not exist"], id="missing scenario file"),
    pytest.param(("run", "clickstream-replay"), ["--input FILE"], id="input not given"),
    pytest.param(("run", "clickstream-replay", "--input", "no.log"), ["no.log: No such file"], id="missing input"),
    pytest.param(("run", "clickstream-replay", "--input", "empty.log"), ["empty.log is empty"], id="empty input"),
    pytest.param(("run", "clickstream-replay", "--input", "binary.log"), ["binary.log is binary"], id="binary input"),
    pytest.param(("run", "clickstream-smoke", "--input", "some.log"), ["makes its own records"], id="input to a generator"),
    pytest.param(("run", "clickstream-smoke", "--records", "0"), ["0 is not in the range"], id="no records"),
    pytest.param(
        ("run", "clickstream-smoke", "--emulator", "docke"), ["expected auto, embedded, container"], id="unknown emulator"
    ),
    pytest.param(("run", "clickstream-smoke", "--emulator", "http://192.0.2.1:4566"), ["--allow-remote"], id="remote endpoint"),
    pytest.param(("run", "clickstream-smoke", "--emulator", "http://127.0.0.1:1"), ["nothing answers"], id="no endpoint there"),
    pytest.param(("run", "bad-key.yaml"), ["bad-key.yaml:3", "recrods: unknown key; did you mean records?"], id="unknown key"),
    pytest.param(("run", "bad-type.yaml"), ["bad-type.yaml:3", "source.records", "valid integer"], id="wrong type"),
    pytest.param(("run", "no-template.yaml"), ["template", "No such file"], id="missing template"),
    pytest.param(("run", "clickstream-smoke", "--out", "/proc/nowhere"), ["--out /proc/nowhere"], id="no place for the run"),
    pytest.param(("run", "laughs.yaml"), ["laughs.yaml has more than 10,000 keys and values"], id="aliases without end"),
    pytest.param(("run", "large.yaml"), ["large.yaml has more than 1,048,576 bytes"], id="large scenario"),
    pytest.param(("run", "many-keys.yaml"), ["unknown key", "and 2,9"], id="many unknown keys"),
    pytest.param(("run", "bad-tag.yaml"), ["bad-tag.yaml is not YAML"], id="type of YAML whose value is none"),
    pytest.param(("run", "infinite.yaml"), ["drain_timeout_s", "finite"], id="infinite wait"),
    pytest.param(("run", "too-many.yaml"), ["source.records", "1000000000"], id="more records than there can be"),
    pytest.param(("run", "negative.yaml"), ["allow.lost"], id="negative allowance"),
    pytest.param(("run", "pipe.yaml"), ["is not a regular file"], id="scenario that is a pipe"),
    pytest.param(("run", "clickstream-replay", "--input", "pipe.log"), ["is not a regular file"], id="input that is a pipe"),
    pytest.param(("run", "a" * 300 + ".yaml"), ["File name too long"], id="name that is too long"),
    pytest.param(("run", "loop.yaml"), ["loop"], id="template at the end of a loop of links"),
    pytest.param(("run", "no-mapping.yaml"), ["Resources.A: expected a mapping"], id="resource that is no mapping"),
    pytest.param(("run", "many-parts.yaml"), ["probes.9", "and 2,4"], id="many unknown parts"),
    pytest.param(("run", "clickstream-smoke", "--emulator", "http://[::1"), ["is not an endpoint"], id="endpoint that is no URL"),
    pytest.param(("conformance", "http://[::1"), ["is not an endpoint"], id="endpoint of rules that is no URL"),
    pytest.param(("prove", "--seeds", "1" + "0" * 25), ["--seeds"], id="more seeds than there can be"),
    pytest.param(
        ("prove", "clickstream-smoke", "--emulator", "nonsense"), ["nonsense"], id="proof with an emulator that there is not"
    ),
    pytest.param(("run", "orders-replay", "--input", "/dev/zero"), ["is not a regular file"], id="device"),
    pytest.param(("replay", "mistyped"), ["plan.json: seed"], id="replay of a mistyped plan"),
    pytest.param(("replay", "nested"), ["nested too deeply"], id="replay of a nested plan"),
    pytest.param(("replay", "escaping"), ["plan.json: scenario"], id="replay of a plan whose name leads elsewhere"),
    pytest.param(("trace", "x", "no-parquet"), ["cannot be read as the directory of a run"], id="trace in a broken run"),
    pytest.param(("down",), ["nothing is up"], id="down without up"),
    pytest.param(("frobnicate",), ["No such command"], id="unknown command"),
]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "empty.log").write_bytes(b"\n\n")
    (tmp_path / "binary.log").write_bytes(bytes(range(256)))
    (tmp_path / "some.log").write_text("a line\n")
    smoke = (ROOT / "scenarios" / "clickstream-smoke.yaml").read_text()
    smoke = smoke.replace("../pipeline", str(ROOT / "pipeline"))
    head = "description: x\nsource: {kind: clickstream,\n  %s}\n" + smoke[smoke.index("send:") :]
    stack = smoke[smoke.index("stack:") : smoke.index("source:")]
    (tmp_path / "bad-key.yaml").write_text(head % "recrods: 5" + stack)
    (tmp_path / "bad-type.yaml").write_text(head % "records: many" + stack)
    (tmp_path / "no-template.yaml").write_text(smoke.replace("template.yaml", "missing.yaml"))
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'ha'}]\n" for n in range(12))
    (tmp_path / "laughs.yaml").write_text(laughs + smoke)
    (tmp_path / "large.yaml").write_text("#" * (1 << 20) + smoke)
    (tmp_path / "many-keys.yaml").write_text("".join(f"key{n}: {n}\n" for n in range(3000)) + smoke)
    (tmp_path / "bad-tag.yaml").write_text("when: !!timestamp never\n" + smoke)
    (tmp_path / "infinite.yaml").write_text("drain_timeout_s: .inf\n" + smoke)
    (tmp_path / "too-many.yaml").write_text(head % f"records: {10**30}" + stack)
    (tmp_path / "negative.yaml").write_text("allow: {lost: -1}\n" + smoke)
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    (tmp_path / "loop.yaml").write_text(re.sub(r"template: .*", "template: loop/template.yaml", smoke))
    (tmp_path / "no-mapping-template.yaml").write_text("Resources: {A: 1}")
    (tmp_path / "no-mapping.yaml").write_text(re.sub(r"template: .*", "template: no-mapping-template.yaml", smoke))
    (tmp_path / "many-parts.yaml").write_text(smoke[: smoke.index("probes:")] + "probes:\n" + "  - {kind: nope}\n" * 2500)
    for name in ("pipe.yaml", "pipe.log"):
        os.mkfifo(tmp_path / name)
    plan = {"scenario": "s", "document": {}, "seed": 1, "records": None, "input": None, "lookup": None, "faults": []}
    for name, text in (
        ("mistyped", json.dumps({**plan, "seed": [1]})), ("nested", "[" * 100_000), ("escaping", json.dumps({**plan, "scenario": "../x"})),
    ):  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_text(text)
    (tmp_path / "no-parquet").mkdir()
    (tmp_path / "no-parquet" / "ledger.parquet").write_text("no parquet")
    return tmp_path


@pytest.mark.parametrize(("args", "said"), NO_EMULATOR)
def test_a_usage_error_is_said_and_exits_64(place, args, said):
    code, output, _ = pipeproof(place, *args)
    assert code == 64, output
    assert "Traceback" not in output
    for part in said:
        assert part in output
    assert leftovers(place) == []
    assert not list((place / "runs").glob("*")) if (place / "runs").is_dir() else True


def copied_pipeline(place):
    shutil.copytree(ROOT / "pipeline", place / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "scenarios", place / "scenarios")
    return place / "pipeline" / "clickstream"


def test_a_template_that_does_not_deploy_names_the_resource_and_the_reason(place, run):
    template = copied_pipeline(place) / "template.yaml"
    broken = "  BrokenQueue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 999999}}\n"
    template.write_text(template.read_text().replace("\nResources:\n", f"\nResources:\n{broken}"))
    code, output, result = run(place, "run", "clickstream-smoke")
    assert code == 2, output
    assert result["verdict"] == "unknown"
    assert re.search(r"BrokenQueue: .*VisibilityTimeout", output)
    assert "Traceback" not in output
    assert leftovers(place) == []


def test_functions_that_do_not_run_here_are_all_named_with_their_lines(place, run):
    template = copied_pipeline(place) / "template.yaml"
    template.write_text(template.read_text().replace("Runtime: !Ref PythonRuntime", "Runtime: java21"))
    code, output, _ = run(place, "run", "clickstream-smoke")
    assert code == 64, output
    named = re.findall(r"template\.yaml:\d+: (\w+): runtime java21", output)
    assert named == ["IngestFunction", "StreamTransformFunction", "RedriveFunction"]
    assert leftovers(place) == []


def test_a_handler_whose_package_lacks_what_it_imports_is_told_before_the_load(place, run):
    handler = copied_pipeline(place) / "functions" / "stream_transform.py"
    handler.write_text("import no_such_package\n" + handler.read_text())
    code, output, _ = run(place, "run", "clickstream-smoke", "--records", 200)
    assert code == 64, output
    assert re.search(r"template\.yaml:\d+: StreamTransformFunction: handler .*stream_transform.py imports no_such_package", output)
    assert "no_such_package" in (place / "runs" / "latest" / "refused.txt").read_text()
    assert leftovers(place) == []


def test_a_handler_that_does_not_import_is_not_a_pass(place, run):
    """Every batch fails and ends at the failure destination: healthy records dead-lettered, and the log says why."""
    clickstream = copied_pipeline(place)
    handler = clickstream / "functions" / "stream_transform.py"
    handler.write_text("import importlib\nimportlib.import_module('no_such_package')\n" + handler.read_text())
    template = clickstream / "template.yaml"
    template.write_text(template.read_text().replace("MaximumRetryAttempts: 10", "MaximumRetryAttempts: 1"))
    code, output, result = run(place, "run", "clickstream-smoke", "--records", 200)
    assert code == 1, output
    assert result["anomalies"]["misrouted"] == 190
    assert result["outcome"]["dead_lettered"] == 199
    assert "Traceback" not in output
    assert leftovers(place) == []


def test_requirements_that_cannot_be_installed_are_named(place):
    (copied_pipeline(place).parent / "requirements.txt").write_text("no-such-package-of-pipeproof==1.0\n")
    code, output, _ = pipeproof(place, "run", "clickstream-smoke")
    assert code == 64, output
    assert "no-such-package-of-pipeproof" in output
    assert "Function" in output
    assert leftovers(place) == []


def test_a_full_disk_is_said_and_is_no_verdict(place):
    """A file system of a few hundred KB; needs the right to mount one."""
    small = place / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)], capture_output=True, check=False
    ).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        code, output, _ = pipeproof(place, "run", "clickstream-10k", "--out", small)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert code == 2, output
    assert "No space left on device" in output
    assert "Traceback" not in output
    assert leftovers(place) == []


def test_a_taken_port_is_named_with_the_remedy(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, output, _ = pipeproof(place, "up", "clickstream-smoke", "--port", port)
    assert code == 64, output
    assert f"port {port} of 127.0.0.1 is taken" in output
    assert "--port" in output
    assert leftovers(place) == []


def test_a_record_that_was_never_offered_is_a_phantom_and_fails_the_run(place, run):
    clickstream = copied_pipeline(place)
    function = clickstream / "functions" / "stream_transform.py"
    line = "        key = transforms.object_key(hour, shard_id, first, last)\n"
    source = function.read_text()
    assert line in source
    function.write_text(source.replace(line, line + '        documents.append({**documents[0], "eventId": "nobody"})\n'))
    code, output, result = run(place, "run", "clickstream-smoke", "--records", 100)
    assert code == 1, output
    assert result["anomalies"]["phantom"] > 0
    assert {e["record_id"] for e in result["examples"]["phantom"]} == {"nobody"}
