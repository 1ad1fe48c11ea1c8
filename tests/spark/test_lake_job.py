"""The lake's Spark job builds the silver and the gold that the functions build: the same rows, the same sums."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import pytest

from harness.scenario.catalogue import find_scenario
from pipeline.lake.jobs import build as job

# Copies the lake before its emulator ends.
_COPY = """
import pathlib
from harness.api import Check, Finding

class Copied(Check):
    bucket: str
    into: str
    def open(self, context):
        s3 = context.clients("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            for one in page.get("Contents", []):
                file = pathlib.Path(self.into, one["Key"])
                file.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(self.bucket, one["Key"], str(file))
        return Finding(True, "copied")
"""
_SILVER = "event_id, event_type, user_id, occurred_at, hour_bucket, received_at, payload, dt, hour"
_GOLD = "event_type, events, unique_users, dt"


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """What a run of the lake has stored, as files: late events and copies among them."""
    folder = tmp_path_factory.mktemp("lake")
    _, path = find_scenario("lake")
    text = path.read_text().replace("../pipeline", str(path.parents[1] / "pipeline"))
    (folder / "copied.py").write_text(_COPY)
    copies = f'checks:\n  - {{use: "./copied.py:Copied", bucket: "${{outputs.LakeBucketName}}", into: "{folder}"}}\n'
    (folder / "lake.yaml").write_text(text.replace("checks:\n", copies, 1))
    command = [sys.executable, "-m", "harness", "run", "lake.yaml", "--emulator", "embedded"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def rows(folder, layer, columns):
    """The rows of a layer, in an order."""
    files = f"'{folder}/{layer}/**/*.parquet'"
    partitions = "hive_partitioning = true, hive_types_autocast = false"
    return duckdb.sql(f"SELECT {columns} FROM read_parquet({files}, {partitions}) ORDER BY ALL").fetchall()


def of_functions(folder, layer, columns):
    """As `rows`: the objects of the functions have no ending."""
    files = f"'{folder}/{layer}/*/*/{'*/' if layer == 'silver' else ''}*'"
    partitions = "hive_partitioning = true, hive_types_autocast = false"
    return duckdb.sql(f"SELECT {columns} FROM read_parquet({files}, {partitions}) ORDER BY ALL").fetchall()


@pytest.mark.timeout(600)
def test_it_builds_what_the_functions_build_and_again_the_same(lake, session, tmp_path):
    for _ in range(2):
        days = job.build(session, f"{lake}/bronze/", f"{tmp_path}/silver/", f"{tmp_path}/gold/")
        silver, gold = rows(tmp_path, "silver", _SILVER), rows(tmp_path, "gold", _GOLD)
        assert len(days) == 3
        assert silver == of_functions(lake, "silver", _SILVER)
        assert gold == of_functions(lake, "gold", _GOLD)
        assert sum(row[1] for row in gold) == len(silver) == 2000
    hours = list((tmp_path / "silver").glob("dt=*/hour=*"))
    assert all(len(list(hour.glob("*.parquet"))) == 1 for hour in hours), "many small objects become one"
    assert len(list((lake / "bronze").glob("*/*/*"))) > len(hours)


@pytest.mark.timeout(600)
def test_an_object_that_is_no_json_ends_it(lake, session, tmp_path):
    place = tmp_path / "bronze" / "dt=2025-05-18" / "hour=07"
    place.mkdir(parents=True)
    (place / "a.ndjson").write_text('{"event_id": "a"}\n{"event_id": \n')
    with pytest.raises(Exception, match="MALFORMED_RECORD_IN_PARSING"):
        job.build(session, f"{tmp_path}/bronze/", f"{tmp_path}/silver/", f"{tmp_path}/gold/")


@pytest.mark.timeout(600)
def test_it_runs_as_a_script_with_arguments_of_glue_besides(lake, tmp_path):
    command = [
        sys.executable, job.__file__, "--JOB_NAME", "lake", "--bronze", f"{lake}/bronze/", "--silver", f"{tmp_path}/silver/",
        "--gold", f"{tmp_path}/gold/", "--enable-metrics", "true",
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "built: 2025-05-17, 2025-05-18, 2025-05-19" in ran.stdout
    assert rows(tmp_path, "gold", _GOLD) == of_functions(lake, "gold", _GOLD)
