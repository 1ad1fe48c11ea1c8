"""Logs: every line is accounted for, with its place in its file."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from harness.emulator.clients import Clients
from harness.stack import deploy as stacks
from tests.e2e.commands import REAL_LOG, ROOT
from tests.e2e.conftest import new_account
from tests.e2e.files import rest, take

APACHE = '1.2.3.4 - - [17/May/2015:12:05:03 +0200] "GET /a HTTP/1.1" 404 20 "-" "curl"'


@pytest.fixture(scope="module")
def deployed(emulator):
    """One stack for the files of all tests below; each looks only at what it has put there."""
    clients = Clients(emulator.endpoint, account=new_account())
    template = ROOT / "pipeline" / "logs" / "template.yaml"
    parameters = {"PythonRuntime": emulator.python_runtime, "PartBytes": "1024", "PartsPerInvocation": "2"}
    return clients, stacks.deploy(clients, template, parameters, "logs-files").outputs


def put(deployed, key, body):
    """Puts a file, and waits until the pipeline is done with it; returns its version."""
    clients, outputs = deployed
    version = clients("s3").put_object(Bucket=outputs["LogBucketName"], Key=key, Body=body)["VersionId"]
    rest(clients)
    return version


def stored(deployed, version):
    """What is stored of an upload: the objects and their lines."""
    clients, outputs = deployed
    bucket, found = outputs["LogBucketName"], {}
    for item in clients("s3").list_objects_v2(Bucket=bucket, Prefix="processed-logs/").get("Contents", []):
        documents = [json.loads(line) for line in clients("s3").get_object(Bucket=bucket, Key=item["Key"])["Body"].iter_lines()]
        if documents[0]["upload"].endswith(f"@{version}"):
            found[item["Key"]] = documents
    return found


def test_a_malformed_line_is_found_again_by_file_line_offset_and_bytes(deployed):
    clients, outputs = deployed
    body = f'{{"level":"INFO","message":"é"}}\r\n\n{APACHE}\n{{"level":\r\n'.encode()
    version = put(deployed, "raw-logs/from app +1.log", body)
    (documents,) = stored(deployed, version).values()
    assert [(d["line"], d["level"], d["timestamp"]) for d in documents] == [(1, "INFO", None), (3, "WARN", "2015-05-17T10:05:03Z")]
    (letter,) = [one for one in take(clients, outputs["DeadLetterQueueUrl"]) if one["place"]["versionId"] == version]
    place = letter["place"]
    assert (place["key"], place["line"]) == ("raw-logs/from app +1.log", 4)
    assert body[place["byteOffset"] :][: place["bytes"]] == base64.b64decode(letter["payload"]) == b'{"level":'


@pytest.mark.parametrize("name", ["many.json", "many.json.gz"])
def test_several_invocations_make_the_parts_of_one_upload_and_its_lines_are_stored_once(deployed, name):
    body = b"".join(json.dumps({"n": n, "text": "x" * 50}).encode() + b"\n" for n in range(150))
    version = put(deployed, f"raw-logs/{name}", gzip.compress(body) if name.endswith(".gz") else body)
    parts = stored(deployed, version)
    assert len(parts) > 4
    documents = [document for key in sorted(parts) for document in parts[key]]
    assert [document["event"]["n"] for document in documents] == list(range(150))
    assert [document["line"] for document in documents] == list(range(1, 151))


def test_a_line_of_many_megabytes_is_dead_lettered_with_all_its_bytes(deployed):
    clients, outputs = deployed
    long = b'{"a":"' + b"x" * 9_000_000 + b'"}'
    version = put(deployed, "raw-logs/long.log", b'{"n":1}\n' + long + b'\n{"n":2}\n')
    assert [d["line"] for documents in stored(deployed, version).values() for d in documents] == [1, 3]
    (letter,) = [one for one in take(clients, outputs["DeadLetterQueueUrl"]) if one["place"]["versionId"] == version]
    bucket, _, key = letter["payloadLocation"].removeprefix("s3://").partition("/")
    assert clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == long


@pytest.mark.parametrize(
    ("name", "body", "error"),
    [
        ("empty.log", b"", "EmptyFile"),
        ("nothing.log.gz", gzip.compress(b"", mtime=0), "EmptyFile"),
        ("plain.log.gz", b"plain", "NotGzip"),
        ("cut.log.gz", gzip.compress(b'{"a":1}\n' * 1000, mtime=0)[:-9], "NotGzip"),
        ("picture.png", b"\x89PNG", "UnknownKind"),
    ],
)
def test_what_is_no_log_stays_where_it_is_and_an_alert_names_it(deployed, name, body, error):
    clients, outputs = deployed
    version = put(deployed, f"raw-logs/{name}", body)
    (alert,) = [one for one in take(clients, outputs["AlertQueueUrl"]) if one["versionId"] == version]
    assert (alert["errorName"], alert["key"]) == (error, f"raw-logs/{name}")
    assert not stored(deployed, version)


@pytest.mark.parametrize("scenario", ["logs", "logs-malformed", "logs-overwritten", "logs-faults", "logs-chaos"])
def test_all_lines_are_accounted_for(tmp_path, run, scenario):
    code, output, result = run(tmp_path, "run", scenario, "--seed", 3)
    assert code == 0, output
    assert not any(result["anomalies"].values())
    assert result["outcome"]["filtered"] > 0


@pytest.mark.skipif(not REAL_LOG.exists(), reason="the real access log is not beside the checkout (../shared/data)")
def test_a_log_of_an_apache_server_is_stored_but_for_the_line_that_is_cut_off(tmp_path, run):
    code, output, result = run(tmp_path, "run", "logs-replay", "--input", REAL_LOG)
    assert code == 0, output
    assert (result["outcome"]["stored"], result["outcome"]["dead_lettered"]) == (9_999, 1)


def test_a_log_of_json_lines_is_replayed_packed_or_not(tmp_path, run):
    lines = [b'{"ts":%d,"msg":"m"}' % n for n in range(300)] + [b"", b"{cut", b"   "]
    path = tmp_path / "mine.json.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    code, output, result = run(tmp_path, "run", "logs-replay-ndjson", "--input", path)
    assert code == 0, output
    assert {name: result["outcome"][name] for name in ("stored", "dead_lettered", "filtered")} == {
        "stored": 300, "dead_lettered": 1, "filtered": 2,
    }  # fmt: skip
