"""The orders: a real file row for row, the e-mail and its link, and what becomes of files that are no orders."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import duckdb
import pytest
import urllib3

from harness.emulator.clients import Clients
from harness.emulator.external import External
from harness.parts.probes.s3 import S3
from harness.run import engine, events, state
from harness.run.lookup import put_lookup
from harness.run.recipe import Recipe, open_load
from harness.run.state import Run
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario
from harness.stack import deploy as stacks
from tests import loads
from tests.e2e.commands import REAL_LOG, ROOT, pipeproof
from tests.e2e.conftest import new_account
from tests.e2e.files import rest, take

ORDERS, FINANCIALS = REAL_LOG.parent / "orders_10k.csv", REAL_LOG.parent / "order_financials_10k.csv"
real_orders = pytest.mark.skipif(not ORDERS.exists(), reason="the real orders are not beside the checkout (../shared/data)")
HEADER = ",".join(loads.module("orders").COLUMNS).encode() + b"\n"
TEMPLATE = ROOT / "pipeline" / "orders" / "template.yaml"


def keys(clients, bucket, prefix):
    return [item["Key"] for item in clients("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


def body(clients, bucket, key):
    return clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def emails(endpoint, recipient):
    answer = urllib3.request("GET", f"{endpoint}/_aws/ses").json()
    return [message for message in answer["messages"] if recipient in message["Destination"]["ToAddresses"]]


def alerts(clients, outputs):
    """Takes all that there are out of the queue; returns the functions' alerts, without those of CloudWatch's alarms."""
    return [alert for alert in take(clients, outputs["AlertQueueUrl"]) if "AlarmName" not in alert]


@real_orders
def test_the_real_orders_are_merged_row_for_row_and_in_order_as_duckdb_joins_them(tmp_path, emulator, clients, monkeypatch):
    monkeypatch.setattr(state, "_delete_stack", lambda *_: None)
    name, path = find_scenario("orders-replay")
    scenario = load_scenario(path)
    recipe = Recipe(name, scenario, 1, input_path=ORDERS, lookup_path=FINANCIALS)
    run = Run(recipe, open_load(recipe), External(emulator.endpoint), "external", "", tmp_path, account=clients.account)
    outputs, finished = {}, None
    for event in engine.conduct(run):
        if isinstance(event, events.StackDeployed):
            outputs = event.outputs
        finished = event
    assert finished.verdict.judgement == "pass", finished.verdict
    assert (finished.account.outcome.stored, finished.account.ingress.offered) == (10_000, 10_000)

    bucket = outputs["DataBucketName"]
    (key,) = keys(clients, bucket, "output/")
    merged = tmp_path / "merged.csv"
    merged.write_bytes(body(clients, bucket, key))
    read = "read_csv('{}', all_varchar = true, header = true)"
    joined = duckdb.sql(
        f"SELECT o.*, f.* EXCLUDE (uuid) FROM (SELECT row_number() OVER () AS n, * FROM {read.format(ORDERS)}) o "
        f"JOIN {read.format(FINANCIALS)} f USING (uuid) ORDER BY n"
    ).project("* EXCLUDE (n)")
    found = duckdb.sql(f"FROM {read.format(merged)}")
    assert found.columns == joined.columns
    assert found.fetchall() == joined.fetchall()


@pytest.fixture(scope="module")
def deployed(emulator, tmp_path_factory):
    """One stack for the files of all tests below; each looks only at what it has put there."""
    clients = Clients(emulator.endpoint, account=new_account())
    parameters = {
        "PythonRuntime": emulator.python_runtime, "ChunkSize": "40", "Recipient": "them@example.org", "ArchiveFolder": "done",
    }  # fmt: skip
    outputs = stacks.deploy(clients, TEMPLATE, parameters, "orders-files").outputs
    note = tmp_path_factory.mktemp("lookup") / "put.parquet"
    list(put_lookup(clients, outputs["FinancialsTableName"], loads.files("orders", 1, 100).lookup(), note))
    return clients, outputs, emulator.endpoint


def orders(records=100):
    """The bytes of a file that is healthy."""
    return loads.body(loads.files("orders", 1, records))


def test_the_e_mail_is_sent_and_its_link_downloads_the_merged_file(deployed):
    clients, outputs, endpoint = deployed
    clients("s3").put_object(Bucket=outputs["DataBucketName"], Key="input/with a link +1.csv", Body=orders())
    rest(clients)
    (message,) = [m for m in emails(endpoint, "them@example.org") if "with a link +1" in m["Subject"]]
    assert message["Source"] == "orders@example.com"
    link = re.search(r"https?://\S+", message["Body"]["text_part"])[0]
    # A container is reached through its published port.
    reached = urlsplit(link)._replace(netloc=urlsplit(endpoint).netloc).geturl()
    answer = urllib3.request("GET", reached)
    assert answer.status == 200
    (key,) = keys(clients, outputs["DataBucketName"], "output/with a link +1/")
    assert answer.data == body(clients, outputs["DataBucketName"], key)
    assert answer.data.count(b"totalProfit\n") == 1
    archived = [key for key in keys(clients, outputs["DataBucketName"], "done/") if "with a link +1" in key]
    assert [body(clients, outputs["DataBucketName"], key) for key in archived] == [orders()]
    assert keys(clients, outputs["DataBucketName"], "input/with a link") == []


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("empty", b"", "EmptyFile"),
        ("header-only", HEADER, "HeaderOnly"),
        ("wrong-header", HEADER.replace(b"uuid", b"id") + b"1,2,3,4,5,6,7,8\n", "WrongHeader"),
        ("wrong-delimiter", HEADER.replace(b",", b"\t"), "WrongHeader"),
        ("not-csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "NotCsv"),
        ("one-endless-line", HEADER + b"x" * 3_000_000, "NotCsv"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_file_of_orders_is_set_aside_and_an_alert_names_it_and_the_reason(deployed, name, content, error):
    clients, outputs, _ = deployed
    bucket, key = outputs["DataBucketName"], f"input/{name}.csv"
    version = clients("s3").put_object(Bucket=bucket, Key=key, Body=content)["VersionId"]
    rest(clients)
    (alert,) = [a for a in alerts(clients, outputs) if a.get("versionId") == version]
    assert (alert["alertType"], alert["key"], alert["errorName"]) == ("failed-file", key, error)
    assert alert["reason"]
    assert body(clients, bucket, alert["keptAt"]) == content
    assert keys(clients, bucket, key) == []
    assert keys(clients, bucket, f"output/{name}/") == []


def test_a_file_of_300_mb_without_an_end_of_line_is_read_as_a_stream_and_set_aside(deployed, large_file):
    clients, outputs, _ = deployed
    bucket = outputs["DataBucketName"]
    with large_file.open("rb") as content:
        clients("s3").put_object(Bucket=bucket, Key="input/large.csv", Body=content)
    rest(clients)
    (alert,) = [a for a in alerts(clients, outputs) if a["key"] == "input/large.csv"]
    assert alert["errorName"] == "NotCsv"
    assert clients("s3").head_object(Bucket=bucket, Key=alert["keptAt"])["ContentLength"] == large_file.stat().st_size


def test_the_same_file_twice_and_two_at_once_are_uploads_of_their_own(deployed):
    clients, outputs, endpoint = deployed
    bucket = outputs["DataBucketName"]
    for name in ("twice", "twice", "beside"):
        clients("s3").put_object(Bucket=bucket, Key=f"input/{name}.csv", Body=orders(50))
    rest(clients)
    assert len(keys(clients, bucket, "output/twice/")) == 2
    assert len(keys(clients, bucket, "output/beside/")) == 1
    for prefix in ("output/twice/", "output/beside/"):
        seen = list(S3(bucket=bucket, prefix=prefix, format="csv", id="uuid").open(loads.context(clients)))
        assert len(seen) == 50 * len(keys(clients, bucket, prefix))
    assert len([m for m in emails(endpoint, "them@example.org") if "twice" in m["Subject"]]) == 2


def test_an_unverified_sender_leaves_the_rows_stored_and_an_alert_that_gives_none_of_them_up(emulator, tmp_path):
    clients = Clients(emulator.endpoint, account=new_account())
    parameters = {"PythonRuntime": emulator.python_runtime, "CreateSenderIdentity": "no"}
    outputs = stacks.deploy(clients, TEMPLATE, parameters, "orders-unverified").outputs
    list(put_lookup(clients, outputs["FinancialsTableName"], loads.files("orders", 1, 20).lookup(), tmp_path / "put.parquet"))
    clients("s3").put_object(Bucket=outputs["DataBucketName"], Key="input/unsent.csv", Body=orders(20))
    rest(clients)
    assert len(keys(clients, outputs["DataBucketName"], "output/unsent/")) == 1
    (alert,) = alerts(clients, outputs)
    assert alert["alertType"] == "stored-not-sent"
    assert "not verified" in alert["reason"]
    stacks.delete(clients, "orders-unverified")


@pytest.mark.parametrize("scenario", ["orders-malformed", "orders-throttled", "orders-lambda-errors", "orders-chaos"])
def test_orders_under_faults_are_all_accounted_for(tmp_path, run, scenario):
    code, output, result = run(tmp_path, "run", scenario, "--seed", 2)
    assert code == 0, output
    assert not any(result["anomalies"].values())


@real_orders
@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), ["--input FILE"]),
        (("--input", ORDERS), ["--lookup FILE", "uuid"]),
        (("--input", ORDERS, "--lookup", ORDERS.parent / "nothing.csv"), ["--lookup", "No such file"]),
        (("--input", FINANCIALS.parent / "README.md", "--lookup", FINANCIALS), ["no column uuid"]),
    ],
)
def test_files_that_cannot_be_replayed_are_refused_before_anything_starts(tmp_path, args, said):
    code, output, _ = pipeproof(tmp_path, "run", "orders-replay", *args)
    assert code == 64, output
    for part in said:
        assert part in output
    assert "Traceback" not in output
    assert not (tmp_path / "runs").exists()
