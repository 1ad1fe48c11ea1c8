"""Step Functions: Distributed Maps, where their items come from, and where the results go."""

from __future__ import annotations

import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conformance.machines import FAILING, TEN, distributed, output

DISTRIBUTED = "step-functions/latest/dg/state-map-distributed.html"
TOLERANCE = "step-functions/latest/dg/state-map-distributed.html#maprun-fail-threshold"
BATCHER = "step-functions/latest/dg/input-output-itembatcher.html"
READER = "step-functions/latest/dg/input-output-itemreader.html"
WRITER = "step-functions/latest/dg/input-output-resultwriter.html"


@pytest.mark.rule(DISTRIBUTED)
def test_a_distributed_map_returns_the_outputs_of_its_children(machine):
    """A Distributed Map's output has the output of each child, in the order of the items."""
    assert output(machine(distributed(), TEN)) == TEN


@pytest.mark.rule(TOLERANCE)
def test_a_distributed_map_fails_when_a_child_fails(machine):
    """Without a tolerated failure threshold, one failing child fails the Map with States.ExceedToleratedFailureThreshold."""
    ended = machine(distributed(FAILING), TEN)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")


@pytest.mark.rule(TOLERANCE)
@pytest.mark.parametrize(
    ("tolerance", "passes"),
    [
        ({"ToleratedFailureCount": 2}, True),
        ({"ToleratedFailureCount": 1}, False),
        ({"ToleratedFailurePercentage": 20}, True),
        ({"ToleratedFailurePercentage": 19}, False),
        ({"ToleratedFailureCount": 1, "ToleratedFailurePercentage": 50}, False),
    ],
    ids=str,
)
def test_tolerated_failures(machine, tolerance, passes):
    """A Distributed Map fails when more children fail than the tolerated count or percentage; either bound counts."""
    ended = machine(distributed(FAILING, **tolerance), TEN)
    assert ended["status"] == ("SUCCEEDED" if passes else "FAILED")


@pytest.mark.rule(TOLERANCE)
def test_the_threshold_can_be_caught(machine):
    """States.ExceedToleratedFailureThreshold can be caught."""
    states = distributed(FAILING, Catch=[{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Next": "Caught"}])
    states["Map"].pop("End")
    states["Map"]["Next"] = "Caught"
    assert output(machine({**states, "Caught": {"Type": "Pass", "Result": "caught", "End": True}}, TEN)) == "caught"


@pytest.mark.rule("step-functions/latest/apireference/API_DescribeMapRun.html")
def test_a_map_run_counts_its_children(clients, machine):
    """DescribeMapRun tells the status and how many children succeeded and failed."""
    ended = machine(distributed(FAILING, ToleratedFailureCount=5), TEN)
    client = clients("stepfunctions")
    (run,) = client.list_map_runs(executionArn=ended["executionArn"])["mapRuns"]
    described = client.describe_map_run(mapRunArn=run["mapRunArn"])
    assert described["status"] == "SUCCEEDED"
    counts = described["itemCounts"]
    assert (counts["succeeded"], counts["failed"], counts["running"], counts["total"]) == (8, 2, 0, 10)


@pytest.mark.rule(BATCHER)
def test_items_in_batches(machine):
    """ItemBatcher gives each child a batch under Items, of at most MaxItemsPerBatch items, and BatchInput beside it."""
    batcher = {"MaxItemsPerBatch": 4, "BatchInput": {"k": "v"}}
    made = output(machine(distributed(ItemBatcher=batcher), TEN))
    assert [len(child["Items"]) for child in made] == [4, 4, 2]
    assert made[0] == {"Items": TEN[:4], "BatchInput": {"k": "v"}}


@pytest.mark.rule(BATCHER)
def test_batches_of_bytes(machine):
    """MaxInputBytesPerBatch bounds the size of a batch."""
    items = [{"text": "x" * 100} for _ in range(6)]
    made = output(machine(distributed(ItemBatcher={"MaxInputBytesPerBatch": 250}), items))
    assert [len(child["Items"]) for child in made] == [2, 2, 2]


@pytest.mark.rule(BATCHER)
def test_the_selector_comes_before_the_batcher(machine):
    """ItemSelector makes each item before ItemBatcher puts them together."""
    selector = {"index.$": "$$.Map.Item.Index", "n.$": "$$.Map.Item.Value.n", "of.$": "$.of"}
    options = {"ItemsPath": "$.items", "ItemSelector": selector, "ItemBatcher": {"MaxItemsPerBatch": 2}}
    made = output(machine(distributed(**options), {"of": "all", "items": TEN[:3]}))
    assert [item for child in made for item in child["Items"]] == [{"index": n, "n": n, "of": "all"} for n in range(3)]


@pytest.mark.rule(BATCHER)
def test_a_failing_batch_counts_all_its_items(machine):
    """A child that fails counts as many failed items as its batch has."""
    failing = {"F": {"Type": "Fail", "Error": "Mine"}}
    options = {"ItemBatcher": {"MaxItemsPerBatch": 5}}
    assert machine(distributed(failing, ToleratedFailureCount=9, **options), TEN)["status"] == "FAILED"
    assert machine(distributed(failing, ToleratedFailureCount=10, **options), TEN)["status"] == "SUCCEEDED"


@pytest.fixture
def bucket(clients):
    name = f"items-{clients.account}"
    clients("s3").create_bucket(Bucket=name)
    return name


def read(bucket, key, **config):
    parameters = {"Bucket": bucket, "Key": key}
    return {"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": parameters, "ReaderConfig": config}}


@pytest.mark.rule(READER)
def test_items_from_json(clients, machine, bucket):
    """InputType JSON reads an array."""
    clients("s3").put_object(Bucket=bucket, Key="items.json", Body=json.dumps(TEN))
    assert output(machine(distributed(**read(bucket, "items.json", InputType="JSON")))) == TEN


@pytest.mark.rule(READER)
def test_items_from_json_lines(clients, machine, bucket):
    """InputType JSONL reads a value per line."""
    clients("s3").put_object(Bucket=bucket, Key="items.jsonl", Body="".join(json.dumps(item) + "\n" for item in TEN))
    assert output(machine(distributed(**read(bucket, "items.jsonl", InputType="JSONL")))) == TEN


@pytest.mark.rule(READER)
def test_items_from_csv(clients, machine, bucket):
    """InputType CSV reads rows as objects of strings, with the headers of the first row or given ones."""
    clients("s3").put_object(Bucket=bucket, Key="items.csv", Body='a,b\n1,"x, y"\n2,z\n')
    config = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
    assert output(machine(distributed(**read(bucket, "items.csv", **config)))) == [{"a": "1", "b": "x, y"}, {"a": "2", "b": "z"}]
    config = {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["p", "q"]}
    assert output(machine(distributed(**read(bucket, "items.csv", **config))))[0] == {"p": "a", "q": "b"}


@pytest.mark.rule(READER)
def test_items_from_parquet(clients, machine, bucket):
    """InputType PARQUET reads the rows of a Parquet file."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(TEN), file)
    clients("s3").put_object(Bucket=bucket, Key="items.parquet", Body=file.getvalue())
    assert output(machine(distributed(**read(bucket, "items.parquet", InputType="PARQUET")))) == TEN


@pytest.mark.rule(READER)
def test_items_from_a_compressed_object(clients, machine, bucket):
    """A gzip-compressed CSV file is read."""
    clients("s3").put_object(Bucket=bucket, Key="items.csv.gz", Body=gzip.compress(b"a\n1\n"), ContentEncoding="gzip")
    config = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
    assert output(machine(distributed(**read(bucket, "items.csv.gz", **config)))) == [{"a": "1"}]


@pytest.mark.rule(READER)
def test_max_items_bounds_what_is_read(clients, machine, bucket):
    """MaxItems bounds how many items are read."""
    clients("s3").put_object(Bucket=bucket, Key="items.json", Body=json.dumps(TEN))
    assert output(machine(distributed(**read(bucket, "items.json", InputType="JSON", MaxItems=3)))) == TEN[:3]


@pytest.mark.rule(READER)
def test_a_listing_has_all_pages(clients, machine, bucket):
    """listObjectsV2 reads the metadata of all objects, over a thousand too."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: clients("s3").put_object(Bucket=bucket, Key=f"in/{n:04d}", Body=b"x"), range(1005)))
    options = {"ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": bucket, "Prefix": "in/"}}}
    batched = {"ItemBatcher": {"MaxItemsPerBatch": 1000}, "ItemSelector": {"key.$": "$$.Map.Item.Value.Key"}}
    made = output(machine(distributed(**options, **batched)))
    assert [len(child["Items"]) for child in made] == [1000, 5]


@pytest.mark.rule(READER)
def test_an_unreadable_object_fails_the_map(clients, machine, bucket):
    """An object that is not there, or that is no array, fails the Map with States.ItemReaderFailed."""
    ended = machine(distributed(**read(bucket, "missing.json", InputType="JSON")))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ItemReaderFailed")
    clients("s3").put_object(Bucket=bucket, Key="object.json", Body='{"a": 1}')
    assert machine(distributed(**read(bucket, "object.json", InputType="JSON")))["error"] == "States.ItemReaderFailed"


def written(bucket, **config):
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": bucket, "Prefix": "out"}}
    return {"ResultWriter": {**writer, **({"WriterConfig": config} if config else {})}}


def results(clients, details, group):
    """The file of results of a group, by the manifest that the state's output names."""
    s3 = clients("s3")
    place = details["ResultWriterDetails"]
    manifest = json.loads(s3.get_object(Bucket=place["Bucket"], Key=place["Key"])["Body"].read())
    files = manifest["ResultFiles"][group]
    return [s3.get_object(Bucket=manifest["DestinationBucket"], Key=one["Key"])["Body"].read() for one in files], files


@pytest.mark.rule(WRITER)
def test_the_result_writer_writes_what_the_children_returned(clients, machine, bucket):
    """A ResultWriter writes the children's executions into files that its manifest names, with inputs, outputs and errors."""
    made = output(machine(distributed(FAILING, ToleratedFailureCount=5, **written(bucket)), TEN))
    assert made["ResultWriterDetails"]["Key"].startswith("out/")
    assert made["ResultWriterDetails"]["Key"].endswith("/manifest.json")
    (body,), (file,) = results(clients, made, "SUCCEEDED")
    assert file["Size"] == len(body)
    succeeded = json.loads(body)
    assert [json.loads(one["Output"]) for one in succeeded] == TEN[:8]
    assert {one["Status"] for one in succeeded} == {"SUCCEEDED"}
    (body,), _ = results(clients, made, "FAILED")
    assert [(json.loads(one["Input"]), one["Error"], one["Cause"]) for one in json.loads(body)] == [
        (item, "Mine", "because") for item in TEN[8:]
    ]
    assert results(clients, made, "PENDING") == ([], [])


@pytest.mark.rule(WRITER)
def test_the_results_of_a_failed_run_are_written(clients, machine, bucket):
    """The results are written for a Map that fails, too."""
    ended = machine(distributed(FAILING, **written(bucket)), TEN)
    assert ended["status"] == "FAILED"
    keys = [one["Key"].rpartition("/")[2] for one in clients("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert {"manifest.json", "FAILED_0.json"} <= set(keys)


@pytest.mark.rule(WRITER)
def test_compact_results(clients, machine, bucket):
    """WriterConfig COMPACT writes the outputs alone, as JSON lines with OutputType JSONL."""
    made = output(machine(distributed(**written(bucket, Transformation="COMPACT", OutputType="JSONL")), TEN))
    (body,), _ = results(clients, made, "SUCCEEDED")
    assert [json.loads(line) for line in body.splitlines()] == TEN
