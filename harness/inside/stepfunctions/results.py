"""ResultWriter: what became of the children of a Distributed Map, as files in S3 with a manifest.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localstack.services.stepfunctions.asl.utils.encoding import to_json_str

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.inside.stepfunctions.map_run import Child

_GROUPS = {"SUCCEEDED": ("SUCCEEDED",), "FAILED": ("FAILED", "TIMED_OUT", "ABORTED"), "PENDING": ("PENDING", "RUNNING")}


def transformed(children: Sequence[Child], config: Mapping[str, Any], record: Any) -> list[Any]:
    """Returns the results of children as WriterConfig says: NONE with all about the execution, COMPACT the outputs alone, FLATTEN the members of
    outputs that are arrays."""
    match config.get("Transformation", "NONE"):
        case "COMPACT":
            return [child.output for child in children]
        case "FLATTEN":
            outputs = [child.output for child in children]
            return [member for output in outputs for member in (output if isinstance(output, list) else [output])]
        case _:
            return [_described(child, record) for child in children]


def write(s3: Any, bucket: str, prefix: str, record: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the result files and the manifest. Returns the state's output: where they are."""
    folder = (f"{prefix.rstrip('/')}/" if prefix else "") + record.map_run_arn.split(":")[-1]
    files: dict[str, list[dict[str, Any]]] = {}
    for group, statuses in _GROUPS.items():
        children = [child for child in record.children.children if child.status in statuses]
        files[group] = []
        if not children:
            continue
        kept = config if group == "SUCCEEDED" else {**config, "Transformation": "NONE"}
        lines = config.get("OutputType") == "JSONL"
        results = transformed(children, kept, record)
        body = "".join(to_json_str(one) + "\n" for one in results) if lines else to_json_str(results)
        key = f"{folder}/{group}_0.{'jsonl' if lines else 'json'}"
        s3.put_object(Bucket=bucket, Key=key, Body=body.encode())
        files[group].append({"Key": key, "Size": len(body.encode())})
    manifest = {"DestinationBucket": bucket, "MapRunArn": record.map_run_arn, "ResultFiles": files}
    s3.put_object(Bucket=bucket, Key=f"{folder}/manifest.json", Body=json.dumps(manifest).encode())
    return {"MapRunArn": record.map_run_arn, "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"}}


def _described(child: Child, record: Any) -> dict[str, Any]:
    machine = record.map_state_machine_arn
    told: dict[str, Any] = {
        "ExecutionArn": f"{machine.replace(':stateMachine:', ':execution:')}:{child.name}",
        "Input": to_json_str(child.input),
        "InputDetails": {"Included": True},
        "Name": child.name,
        "RedriveCount": child.redrives,
        "RedriveStatus": "NOT_REDRIVABLE" if child.status == "SUCCEEDED" else "REDRIVABLE",
        "StartDate": _time(child.started_at_s),
        "StateMachineArn": machine,
        "Status": child.status,
        "StopDate": _time(child.stopped_at_s),
    }
    if child.status == "SUCCEEDED":
        return told | {"Output": to_json_str(child.output), "OutputDetails": {"Included": True}}
    return told | {"Error": child.error, "Cause": child.cause} if child.error else told


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z" if seconds else ""
