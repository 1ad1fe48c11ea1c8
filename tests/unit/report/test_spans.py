"""The spans of a run: a tree of all its hops, to a file or to a collector."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from harness.errors import UsageError
from harness.report import spans
from harness.report.spans import send_spans
from tests.unit.report.runs import LOST, STORED, left_run

CALL = {"kind": "call", "name": "made-store", "invocation": "i-1", "call": "s3.PutObject", "began_ms": 1_200.5}
JOURNAL = [
    {**CALL, "id": "c-1", "at_ms": 1_201, "status": 503, "error": "SlowDown", "put": "made-bucket/x", "carried": ""},
    {"kind": "init", "at_ms": 1_100, "began_ms": 1_100, "id": "i-1", "name": "made-store", "carried": ""},
    {
        "kind": "invocation",
        "at_ms": 1_300,
        "began_ms": 1_100,
        "id": "i-1",
        "name": "made-store",
        "error": None,
        "took_ms": 200,
        "log": "",
        "carried": "",
    },
    {
        **CALL,
        "name": "harness",
        "invocation": None,
        "id": "c-2",
        "at_ms": 1_050,
        "began_ms": 1_000,
        "status": 200,
        "error": None,
        "put": None,
        "carried": "",
    },
]
FAULTS = {"plan": [{"id": "f", "kind": "throttle"}], "fired": [{"id": "f", "firings": [{"at_ms": 1_201, "request_id": "c-1"}]}]}


@pytest.fixture
def run_dir(tmp_path):
    left_run(tmp_path / "a-run", [STORED, LOST], JOURNAL, FAULTS)
    return tmp_path / "a-run"


def flat(span):
    values = {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}
    return {**span, "attributes": values}


def test_a_run_without_a_journal_has_no_spans(tmp_path):
    left_run(tmp_path, [STORED])
    with pytest.raises(UsageError, match="has no journal with a hop"):
        send_spans(tmp_path, str(tmp_path / "spans.json"))


def test_every_hop_is_a_span_below_what_made_it(run_dir, tmp_path):
    assert send_spans(run_dir, str(tmp_path / "spans.json")) == 4
    (line,) = (tmp_path / "spans.json").read_text().splitlines()
    root, call, invocation, offer = map(flat, json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"])
    assert "parentSpanId" not in root
    assert root["status"] == {"code": 2, "message": "because"}
    assert (root["attributes"]["pipeproof.verdict"], root["attributes"]["pipeproof.lost"]) == ("fail", "1")
    assert (root["startTimeUnixNano"], root["endTimeUnixNano"]) == ("1000000000", "1300000000")
    assert (invocation["parentSpanId"], call["parentSpanId"], offer["parentSpanId"]) == (
        root["spanId"],
        invocation["spanId"],
        root["spanId"],
    )
    assert call["startTimeUnixNano"] == "1200500000"
    assert call["status"] == {"code": 2, "message": "SlowDown"}
    assert call["attributes"]["pipeproof.faults"] == "f"
    assert call["attributes"]["pipeproof.object"] == "Bucket/x"
    assert (call["name"], call["attributes"]["rpc.method"]) == ("s3.PutObject", "PutObject")
    assert (invocation["name"], invocation["attributes"]["faas.invocation_id"]) == ("Store", "i-1")
    assert {span["traceId"] for span in (root, call, invocation, offer)} == {root["traceId"]}
    assert (len(root["traceId"]), len(root["spanId"])) == (32, 16)


@pytest.fixture
def collector():
    """A server that takes spans; `status` is what it answers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.came.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.came, server.status = [], 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_collector_gets_them_in_parts(run_dir, collector, monkeypatch):
    monkeypatch.setattr(spans, "_AT_ONCE", 3)
    url = f"http://127.0.0.1:{collector.server_port}"
    assert send_spans(run_dir, url) == 4
    assert [path for path, _ in collector.came] == ["/v1/traces"] * 2
    assert [len(body["resourceSpans"][0]["scopeSpans"][0]["spans"]) for _, body in collector.came] == [3, 1]
    collector.status = 415
    with pytest.raises(UsageError, match="answered 415"):
        send_spans(run_dir, url)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("http://192.0.2.1:4318", "is another machine"),
        ("ftp://127.0.0.1/x", "expected a file, or the http endpoint"),
        ("http://127.0.0.1:9", "nothing takes spans there"),
        ("http://me:secret@192.0.2.1:4318", r"^--otlp http://192\.0\.2\.1:4318 is another machine"),
        ("", "expected a file"),
        ("/nowhere/at/all.json", "No such file or directory"),
    ],
)
def test_what_cannot_take_them_is_told(run_dir, target, told):
    with pytest.raises(UsageError, match=told):
        send_spans(run_dir, target)
