"""Bronze: events by Kinesis and Firehose into Parquet."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("scenario", ["bronze", "bronze-malformed", "bronze-faults"])
def test_all_events_are_accounted_for(tmp_path, run, scenario):
    code, output, result = run(tmp_path, "run", scenario, "--seed", 3)
    assert code == 0, output
    assert not any(result["anomalies"].values())
    assert result["outcome"]["filtered"] > 100
    assert (result["outcome"]["dead_lettered"] > 0) == (scenario != "bronze")
