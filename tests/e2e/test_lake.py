"""The lake: bronze, silver and gold, and what queries over it say."""

from __future__ import annotations

import json

import pytest

from harness.run.drain import Rest, drain
from harness.stack import deploy as stacks
from tests.e2e.commands import ROOT, pipeproof

TEMPLATE = ROOT / "pipeline" / "lake" / "template.yaml"


@pytest.mark.parametrize("scenario", ["lake", "lake-malformed", "lake-faults"])
def test_all_events_are_accounted_for_and_gold_adds_up(tmp_path, run, scenario):
    code, output, result = run(tmp_path, "run", scenario, "--seed", 3)
    assert code == 0, output
    assert not any(result["anomalies"].values())
    assert {"silver keeps what was received", "gold adds up"} <= {check["check"] for check in result["checks"] if check["holds"]}
    assert (result["outcome"]["dead_lettered"] > 0) == (scenario != "lake")


class Lake:
    """A deployed lake."""

    def __init__(self, clients, runtime, folder):
        self.clients, self.folder = clients, folder
        self.outputs = stacks.deploy(clients, TEMPLATE, {"PythonRuntime": runtime}, "lake").outputs
        # The test refreshes. The rule would do so each quarter of an hour, and LocalStack starts it up to a minute before.
        clients("events").disable_rule(Name=self.outputs["RefreshRuleName"])

    def put(self, *events):
        whole = {"eventType": "click", "userId": "u"}
        records = [{"Data": json.dumps({**whole, **event}).encode(), "PartitionKey": "u"} for event in events]
        self.clients("kinesis").put_records(StreamName=self.outputs["EventStreamName"], Records=records)
        self.rest()

    def refresh(self):
        rule = self.clients("events").list_targets_by_rule(Rule=self.outputs["RefreshRuleName"])
        answer = self.clients("lambda").invoke(FunctionName=rule["Targets"][0]["Arn"], Payload=b"{}")
        return json.loads(answer["Payload"].read())

    def rest(self):
        assert any(
            isinstance(step, Rest) and step.known for step in drain(self.clients.endpoint, self.clients.account, 60, lambda: None)
        )

    def query(self, statement, *args):
        args = "--emulator", self.clients.endpoint, "--account", self.clients.account, *args
        code, output, _ = pipeproof(self.folder, "query", statement, *args)
        return code, output

    def rows(self, statement):
        code, output = self.query(statement, "--format", "json")
        assert code == 0, output
        return [json.loads(line) for line in output.splitlines()[:-1]]

    def files(self, prefix):
        found = self.clients("s3").list_objects_v2(Bucket=self.outputs["LakeBucketName"], Prefix=prefix)
        return [item["Key"] for item in found.get("Contents", [])]


@pytest.fixture
def lake(clients, emulator, tmp_path):
    return Lake(clients, emulator.python_runtime, tmp_path)


def test_late_events_and_copies_change_gold_as_they_must_and_small_files_become_one(lake):
    gold = "SELECT dt, events, unique_users FROM gold ORDER BY dt"
    first, second = "2026-01-01T23:59:59Z", "2026-01-02T00:00:00Z"
    lake.put({"eventId": "a", "timestamp": first}, {"eventId": "b", "timestamp": second, "userId": "v"})
    assert lake.refresh()["built"] == ["2026-01-01", "2026-01-02"]
    assert lake.rows(gold) == [
        {"dt": "2026-01-01", "events": "1", "unique_users": "1"},
        {"dt": "2026-01-02", "events": "1", "unique_users": "1"},
    ]
    # Late, of another zone; and one that was there already.
    lake.put({"eventId": "c", "timestamp": "2026-01-02T01:30:00+02:00", "userId": "w"})
    lake.put({"eventId": "a", "timestamp": first})
    assert len(lake.files("bronze/dt=2026-01-01/hour=23/")) == 3
    assert lake.refresh()["built"] == ["2026-01-01"]
    assert lake.rows(gold)[0] == {"dt": "2026-01-01", "events": "2", "unique_users": "2"}
    assert lake.rows("SELECT event_id FROM silver WHERE dt = '2026-01-01' ORDER BY event_id") == [
        {"event_id": "a"},
        {"event_id": "c"},
    ]
    # No event has come: the refresh builds no day, and removes the files of earlier builds.
    assert lake.refresh()["built"] == []
    assert len(lake.files("silver/dt=2026-01-01/")) == 1
    assert lake.rows("SELECT count(*) AS n FROM silver") == [{"n": "3"}]


def test_what_a_refresh_that_ended_half_way_has_left_is_kept_while_the_catalogue_points_to_it_and_a_table_of_it_is_dropped(lake):
    lake.put({"eventId": "a", "timestamp": "2026-01-01T05:00:00Z"})
    assert lake.refresh()["built"] == ["2026-01-01"]
    (key,) = lake.files("silver/")
    bucket, other = lake.outputs["LakeBucketName"], key.replace("build=", "build=half-way-")
    lake.clients("s3").copy_object(Bucket=bucket, Key=other, CopySource={"Bucket": bucket, "Key": key})
    database, glue = lake.outputs["LakeDatabaseName"], lake.clients("glue")
    (partition,) = glue.get_partitions(DatabaseName=database, TableName="silver")["Partitions"]
    storage = {**partition["StorageDescriptor"], "Location": f"s3://{bucket}/{other.rpartition('/')[0]}/"}
    there = {"Values": partition["Values"], "StorageDescriptor": storage}
    glue.update_partition(DatabaseName=database, TableName="silver", PartitionValueList=partition["Values"], PartitionInput=there)
    glue.create_table(DatabaseName=database, TableInput={"Name": "silver_half_way", "StorageDescriptor": storage})
    assert lake.refresh() == {"built": [], "left": []}
    assert lake.rows("SELECT event_id FROM silver") == [{"event_id": "a"}]
    assert sorted(table["Name"] for table in glue.get_tables(DatabaseName=database)["TableList"]) == ["bronze", "gold", "silver"]
    lake.put({"eventId": "b", "timestamp": "2026-01-01T06:00:00Z"})
    assert lake.refresh()["built"] == ["2026-01-01"]
    assert lake.refresh()["built"] == []
    assert len(lake.files("silver/")) == 2


def test_a_query_says_what_it_scanned_and_what_is_wrong_with_it(lake):
    lake.put(*({"eventId": f"e{day}", "timestamp": f"2026-01-0{day}T00:00:00Z", "note": None} for day in range(1, 6)))
    lake.refresh()
    code, output = lake.query("SELECT event_id, NULL AS nothing FROM silver WHERE dt = '2026-01-03'")
    assert (code, output.splitlines()[0].split(), output.splitlines()[1].split()) == (0, ["event_id", "nothing"], ["e3", "NULL"])

    def scanned(statement):
        code, output = lake.query(statement, "--format", "csv")
        assert code == 0, output
        return int(output.splitlines()[-1].split(", ", 1)[1].split()[0].replace(",", ""))

    assert 0 < scanned("SELECT count(*) FROM silver WHERE dt = '2026-01-03'") * 4 < scanned("SELECT count(*) FROM silver")
    for statement, args, said in [
        ("SELEC 1", (), "the query ended as FAILED: "),
        (" ;", (), "the statement is empty"),
        ("SELECT 1 AS a, 2 AS a", ("--format", "json"), "two columns are called a"),
        ("SELECT * FROM platinum", (), "platinum"),
        ("SELECT 1", ("--database", "none", "--format", "xml"), "is not one of"),
    ]:
        code, output = lake.query(statement, *args)
        assert (code, said in output, "Traceback" in output) == (64, True, False), output
    lake.clients("glue").create_database(DatabaseInput={"Name": "other"})
    code, output = lake.query("SELECT 1")
    assert (code, "which database? --database names one; Glue's catalogue has " in output) == (64, True), output
    assert not [bucket for bucket in lake.clients("s3").list_buckets()["Buckets"] if "queries" in bucket["Name"]]
