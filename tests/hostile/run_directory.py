"""The directory of a run with faults, as a run leaves it, but made without an emulator."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa

from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import reconcile
from harness.accounting.record import Answer, Observation, Outcome, Record, Status
from harness.run.journal import JOURNAL
from harness.run.recipe import make_recipe
from harness.run.replay import keep, keep_names
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario

RECORD_ID = "id-3"


@functools.cache
def made() -> Path:
    """The directory; it is made once, and removed when the process ends."""
    directory = Path(tempfile.mkdtemp(prefix="hostile-run-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    name, path = find_scenario("clickstream-throttled")
    recipe = make_recipe(name, load_scenario(path), seed=1)
    keep(recipe, directory)
    keep_names({"StoreFunction": "store-1", "Stream": "stream-1"}, directory)
    with Ledger(directory / "ledger.parquet") as ledger:
        for number in range(8):
            record = Record(f"id-{number}", b'{"eventId": "id"}', b'{"eventId": "id"}')
            ledger.add(record, Answer(Status.ACKED, 1_000 + number, shard="shard-0", sequence=str(10**30 + number)))
    seen = [Observation(Outcome.STORED, f"s3://b/{number}", f"id-{number}", content=b'{"eventId":"id"}') for number in range(6)]
    write_observations(directory / "observations.parquet", seen)
    reconcile(directory / "ledger.parquet", directory / "observations.parquet", directory)
    carried = json.dumps({"Records": [{"eventID": "shardId-0:1", "kinesis": {"data": "aWQtMw==", "sequenceNumber": "1"}}]})
    entries = [
        {
            "kind": "invocation", "at_ms": 1000, "began_ms": 900, "id": "i-1", "name": "store-1", "error": None, "took_ms": 5, "log": "stored id-3",
            "carried": carried, "answer": "null",
        },
        {
            "kind": "call", "at_ms": 1001, "began_ms": 950, "id": "c-1", "name": "store-1", "invocation": "i-1", "call": "s3.PutObject", "status": 200,
            "error": None, "put": "bucket-1/events/id-3.json", "carried": '{"Bucket": "bucket-1", "Key": "events/id-3.json"}',
        },
    ]  # fmt: skip
    with pa.CompressedOutputStream(str(directory / JOURNAL), "zstd") as file:
        file.write("".join(json.dumps(entry) + "\n" for entry in entries).encode())
    firings = [{"event": 1, "number": 1, "at_ms": 1001, "request_id": "c-1", "call": "s3.PutObject", "caller": "store-1"}]
    (directory / "faults.json").write_text(json.dumps({"fired": [{"id": recipe.faults[0].id, "seen": 1, "firings": firings}]}))
    (directory / "result.json").write_text(
        json.dumps({"verdict": "fail", "payload_sha256": "00", "reasons": ["2 of 8 records lost"]})
    )
    return directory
