"""The hops of a run as spans of OpenTelemetry, in OTLP's JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. One trace is a run; an invocation is a
span of it, and a call of the invocation is a span below that."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3

from harness.documents import read_json
from harness.emulator.external import is_loopback
from harness.errors import UsageError
from harness.report.result import read_result
from harness.run.journal import heads
from harness.run.run_dir import FAULTS, PLAN, readable
from harness.run.trace import faults_by_request, logical, renamed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PATH = "/v1/traces"
_AT_ONCE = 1_000
# https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
_INTERNAL, _SERVER, _CLIENT = 1, 2, 3
_ERROR = 2


def send_spans(run_dir: Path, target: str, *, allow_remote: bool = False) -> int:
    """Writes the spans of a run to a file, a request of OTLP in each line, or sends them to the HTTP endpoint of a collector, such as http://127.0.0.1:4318. Returns how many
    there are.

    Raises UsageError for a directory that is none of a run, for a target that cannot be written or does not take them, and for another machine without
    `allow_remote`."""
    with readable(run_dir):
        spans = list(_spans(run_dir))
    requests = [_request(run_dir, spans[at : at + _AT_ONCE]) for at in range(0, len(spans), _AT_ONCE)]
    if not target:
        raise UsageError("--otlp: expected a file, or the http endpoint of a collector")
    if "://" not in target:
        try:
            Path(target).write_text("".join(f"{json.dumps(one)}\n" for one in requests), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--otlp {target}: {error.strerror}") from error
        return len(spans)
    url = urlsplit(target)
    shown = target.replace(f"{url.username}:{url.password}@", "") if url.password else target
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise UsageError(f"--otlp {shown}: expected a file, or the http endpoint of a collector")
    if not is_loopback(url.hostname) and not allow_remote:
        raise UsageError(f"--otlp {shown} is another machine: spans have names and ids of the run; --allow-remote sends them")
    address = target if url.path not in {"", "/"} else target.rstrip("/") + _PATH
    with urllib3.PoolManager(retries=False, timeout=30) as http:
        for one in requests:
            try:
                answer = http.request("POST", address, body=json.dumps(one), headers={"Content-Type": "application/json"})
            except urllib3.exceptions.HTTPError as error:
                raise UsageError(f"--otlp {shown}: nothing takes spans there") from error
            if answer.status >= 300:
                raise UsageError(f"--otlp {shown} answered {answer.status}")
    return len(spans)


def _request(run_dir: Path, spans: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    resource = {"attributes": _attributes({"service.name": "pipeproof", "pipeproof.run": run_dir.resolve().name})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "pipeproof"}, "spans": spans}]}]}


def _spans(run_dir: Path) -> Iterator[dict[str, Any]]:
    """Yields the spans of a run: itself first."""
    result = read_result(run_dir)
    names = logical(read_json(run_dir / PLAN, "plan").get("names") or {})
    faults = run_dir / FAULTS
    met = faults_by_request(read_json(faults, "faults")["fired"]) if faults.exists() else {}
    trace = _id(run_dir.resolve().name, 16)
    hops = [entry for entry, _ in heads(run_dir) if entry["kind"] != "init"]
    if not hops:
        raise UsageError(f"{run_dir} has no journal with a hop: there are no spans")
    times = [(entry.get("began_ms") or entry["at_ms"], entry["at_ms"]) for entry in hops]
    root = _span(
        trace, trace, None, f"run {result['scenario']}", _INTERNAL, min(begin for begin, _ in times), max(end for _, end in times)
    )
    counts = {
        f"pipeproof.{name}": value
        for name, value in {**result["ingress"], **result["outcome"], **result["anomalies"]}.items()
        if value is not None
    }
    root["attributes"] = _attributes({"pipeproof.verdict": result["verdict"], "pipeproof.seed": result["seed"], **counts})
    if result["verdict"] != "pass":
        root["status"] = {"code": _ERROR, "message": "; ".join(result["reasons"])}
    yield root
    known = {entry["id"] for entry in hops if entry["kind"] == "invocation"}
    for entry, (begin, end) in zip(hops, times, strict=True):
        name = renamed(entry["name"], names)
        is_call = entry["kind"] == "call"
        above = entry.get("invocation") if is_call and entry.get("invocation") in known else trace
        # A state may be tried again in one execution.
        own = entry["id"] if entry["kind"] != "state" else f"{entry['id']} {entry['name']} {entry['at_ms']}"
        span = _span(trace, own, above, entry["call"] if is_call else name, _CLIENT if is_call else _SERVER, begin, end)
        if is_call:
            service, _, operation = entry["call"].partition(".")
            what = {
                "rpc.system": "aws-api",
                "rpc.service": service,
                "rpc.method": operation,
                "aws.request_id": entry["id"],
                "http.response.status_code": entry["status"],
            }
            what |= {"pipeproof.caller": name} | ({"pipeproof.object": renamed(entry["put"], names)} if entry.get("put") else {})
        else:
            what = {"faas.name": name, "faas.invocation_id": entry["id"]}
        if fired := met.get(entry["id"]):
            what["pipeproof.faults"] = ", ".join(fired)
        if entry["error"]:
            what["error.type"] = entry["error"].partition(":")[0]
            span["status"] = {"code": _ERROR, "message": renamed(entry["error"], names)}
        span["attributes"] = _attributes(what)
        yield span


def _span(trace: str, name: str, above: str | None, shown: str, kind: int, begin_ms: float, end_ms: float) -> dict[str, Any]:
    span = {
        "traceId": trace, "spanId": _id(name, 8), "name": shown, "kind": kind,
        "startTimeUnixNano": str(int(min(begin_ms, end_ms) * 1_000_000)), "endTimeUnixNano": str(int(end_ms * 1_000_000)),
    }  # fmt: skip
    return span if above is None else {**span, "parentSpanId": _id(above, 8)}


def _id(name: str, size: int) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[: 2 * size]


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}}
        for key, value in values.items()
    ]
