"""events.jsonl."""

from __future__ import annotations

import json

from harness.emulator.emulator import Abilities, Description
from harness.report.event_log import EventLog
from harness.run.events import EmulatorReady


def test_a_set_is_a_list_in_order_and_a_line_is_there_at_once(tmp_path):
    abilities = Abilities("python3.11", None, frozenset({"AWS::SQS::Queue", "AWS::S3::Bucket"}))
    with EventLog(tmp_path / "events.jsonl") as log:
        log.write(EmulatorReady(Description("embedded", "localstack", "4.9.2", "http://x", "python3.11", abilities), 0.1))
        (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(line)["emulator"]["abilities"]["resource_types"] == ["AWS::S3::Bucket", "AWS::SQS::Queue"]
