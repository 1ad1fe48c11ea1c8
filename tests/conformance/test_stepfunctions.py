"""Step Functions: states, errors, maps and their results."""

from __future__ import annotations

import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conformance.functions import wait_until, zipped

ERRORS = "step-functions/latest/dg/concepts-error-handling.html"
CHOICE = "step-functions/latest/dg/state-choice.html"
DISTRIBUTED = "step-functions/latest/dg/state-map-distributed.html"
TOLERANCE = "step-functions/latest/dg/state-map-distributed.html#maprun-fail-threshold"
BATCHER = "step-functions/latest/dg/input-output-itembatcher.html"
READER = "step-functions/latest/dg/input-output-itemreader.html"
WRITER = "step-functions/latest/dg/input-output-resultwriter.html"
JSONATA = "step-functions/latest/dg/transforming-data.html"
PATHS = "step-functions/latest/dg/concepts-input-output-filtering.html"
INTRINSICS = "step-functions/latest/dg/intrinsic-functions.html"


@pytest.fixture
def machine(clients):
    """Runs a state machine: `machine(states, input)` returns its description when it has ended."""
    client = clients("stepfunctions")

    def run(states, given=None, **top):
        definition = {"StartAt": next(iter(states)), "States": states, **top}
        arn = client.create_state_machine(
            name=f"machine-{abs(hash(json.dumps(definition, sort_keys=True)))}",
            definition=json.dumps(definition),
            roleArn=f"arn:aws:iam::{clients.account}:role/machine",
        )["stateMachineArn"]
        execution = client.start_execution(stateMachineArn=arn, input=json.dumps(given if given is not None else {}))[
            "executionArn"
        ]

        def ended():
            described = client.describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        return wait_until(ended, "the execution to end")

    return run


def output(described):
    assert described["status"] == "SUCCEEDED", described
    return json.loads(described["output"])


@pytest.mark.rule(CHOICE)
def test_a_choice_without_a_match_fails(machine):
    """A Choice state of which no rule matches, without a Default, fails with States.NoChoiceMatched."""
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericEquals": 1, "Next": "End"}]}
    ended = machine({"Choose": choice, "End": {"Type": "Succeed"}}, {"a": 2})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.NoChoiceMatched")


@pytest.mark.rule(CHOICE)
@pytest.mark.parametrize(
    ("rule", "given", "matches"),
    [
        ({"Variable": "$.a", "StringEquals": "x"}, {"a": "x"}, True),
        ({"Variable": "$.a", "StringMatches": "log-*.txt"}, {"a": "log-1.txt"}, True),
        ({"Variable": "$.a", "NumericGreaterThan": 1}, {"a": 1}, False),
        ({"Variable": "$.a", "NumericLessThanEqualsPath": "$.b"}, {"a": 1, "b": 1}, True),
        ({"Variable": "$.a", "IsPresent": True}, {}, False),
        ({"Variable": "$.a", "IsNull": True}, {"a": None}, True),
        ({"Variable": "$.a", "BooleanEquals": True}, {"a": True}, True),
        ({"Variable": "$.a", "TimestampLessThan": "2020-01-01T00:00:00Z"}, {"a": "2019-12-31T23:59:59Z"}, True),
        ({"Not": {"Variable": "$.a", "StringEquals": "x"}}, {"a": "y"}, True),
        ({"And": [{"Variable": "$.a", "IsNumeric": True}, {"Variable": "$.a", "NumericGreaterThan": 0}]}, {"a": 1}, True),
        ({"Or": [{"Variable": "$.a", "IsString": True}, {"Variable": "$.a", "IsBoolean": True}]}, {"a": 1}, False),
    ],
    ids=lambda value: next(iter(value.keys() - {"Variable"}), "empty") if isinstance(value, dict) and "a" not in value else "",
)
def test_choice_rules(machine, rule, given, matches):
    """A Choice state compares by its rule: strings, patterns, numbers, times, types, and their combinations."""
    states = {
        "Choose": {"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], "Default": "No"},
        "Yes": {"Type": "Pass", "Result": True, "End": True},
        "No": {"Type": "Pass", "Result": False, "End": True},
    }
    assert output(machine(states, given)) is matches


@pytest.mark.rule(ERRORS)
def test_a_fail_state_names_error_and_cause(machine):
    """A Fail state ends the execution with its error and cause."""
    ended = machine({"Fail": {"Type": "Fail", "Error": "Mine", "Cause": "because"}})
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Mine", "because")


POISON = "def handler(event, context):\n    raise ValueError('poison')\n"


@pytest.mark.rule(ERRORS)
def test_a_caught_error_goes_on_with_its_output(clients, functions, machine):
    """A Catch goes on with a state, which gets Error and Cause at the ResultPath."""
    functions.create("poison", POISON)
    states = {
        "Task": {
            "Type": "Task", "Resource": f"arn:aws:lambda:us-east-1:{clients.account}:function:poison", "End": True,
            "Catch": [{"ErrorEquals": ["ValueError"], "ResultPath": "$.error", "Next": "Caught"}],
        },
        "Caught": {"Type": "Pass", "End": True},
    }  # fmt: skip
    made = output(machine(states, {"kept": 1}))
    assert made["kept"] == 1
    assert made["error"]["Error"] == "ValueError"
    assert json.loads(made["error"]["Cause"])["errorMessage"] == "poison"


@pytest.mark.rule(ERRORS)
def test_a_retried_task_is_tried_max_attempts_times_more(clients, functions, machine, note, seen):
    """A Retry tries a failing task MaxAttempts more times, then the error is not caught any more."""
    functions.create("poison", note + 'def handler(event, context):\n    note("tried")\n    raise ValueError("poison")\n')
    task = {
        "Type": "Task", "Resource": f"arn:aws:lambda:us-east-1:{clients.account}:function:poison", "End": True,
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1.0}],
    }  # fmt: skip
    ended = machine({"Task": task})
    assert (ended["status"], ended["error"]) == ("FAILED", "ValueError")
    assert seen() == ["tried"] * 3


@pytest.mark.rule(ERRORS)
def test_a_task_that_takes_too_long_times_out(clients, functions, machine):
    """A task that runs longer than TimeoutSeconds fails with States.Timeout."""
    functions.create("slow", "import time\ndef handler(event, context):\n    time.sleep(10)\n", Timeout=20)
    task = {
        "Type": "Task",
        "Resource": f"arn:aws:lambda:us-east-1:{clients.account}:function:slow",
        "TimeoutSeconds": 2,
        "End": True,
    }
    ended = machine({"Task": task})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")


@pytest.mark.rule("step-functions/latest/dg/state-parallel.html")
def test_a_parallel_state_joins_the_outputs(machine):
    """A Parallel state's output is an array of the outputs of its branches, in their order."""
    branches = [{"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": n, "End": True}}} for n in range(3)]
    assert output(machine({"All": {"Type": "Parallel", "Branches": branches, "End": True}})) == [0, 1, 2]


@pytest.mark.rule("step-functions/latest/dg/state-parallel.html")
def test_a_failing_branch_fails_the_parallel_state(machine):
    """A branch that fails fails the Parallel state with its error."""
    branches = [
        {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}},
        {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Mine"}}},
    ]
    assert machine({"All": {"Type": "Parallel", "Branches": branches, "End": True}})["error"] == "Mine"


@pytest.mark.rule("step-functions/latest/dg/state-map-inline.html")
def test_an_inline_map_keeps_the_order(machine):
    """An inline Map's output has the output of each item, in their order."""
    processor = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    assert output(machine({"Map": {"Type": "Map", "ItemProcessor": processor, "End": True}}, [3, 1, 2])) == [3, 1, 2]


@pytest.mark.rule("step-functions/latest/dg/state-map-inline.html")
def test_a_failing_iteration_fails_the_inline_map(machine):
    """An iteration that fails fails the inline Map state."""
    processor = {
        "StartAt": "C",
        "States": {
            "C": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "F"}], "Default": "S"},
            "F": {"Type": "Fail", "Error": "Mine"},
            "S": {"Type": "Succeed"},
        },
    }
    assert machine({"Map": {"Type": "Map", "ItemProcessor": processor, "End": True}}, [1, 2, 3])["error"] == "Mine"


@pytest.mark.rule(PATHS)
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"InputPath": "$.a"}, {"b": 1}),
        ({"Parameters": {"x.$": "$.a.b", "y": 2}}, {"x": 1, "y": 2}),
        ({"Result": 5, "ResultPath": "$.r"}, {"a": {"b": 1}, "r": 5}),
        ({"Result": 5, "ResultPath": None}, {"a": {"b": 1}}),
        ({"OutputPath": "$.a.b"}, 1),
    ],
    ids=["InputPath", "Parameters", "ResultPath", "ResultPath null", "OutputPath"],
)
def test_paths(machine, state, expected):
    """InputPath, Parameters, ResultPath and OutputPath choose what a state gets and gives."""
    assert output(machine({"P": {"Type": "Pass", "End": True, **state}}, {"a": {"b": 1}})) == expected


@pytest.mark.rule(INTRINSICS)
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("States.Format('{}-{}', $.a, 'x')", "1-x"),
        ("States.Array(1, $.a)", [1, 1]),
        ("States.ArrayPartition($.list, 2)", [[1, 2], [3]]),
        ("States.ArrayContains($.list, 3)", True),
        ("States.ArrayLength($.list)", 3),
        ("States.ArrayUnique($.twice)", [1, 2]),
        ("States.Base64Encode('abc')", "YWJj"),
        ("States.Base64Decode('YWJj')", "abc"),
        ("States.Hash('abc', 'SHA-256')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("States.JsonMerge($.o, $.p, false)", {"x": 1, "y": 2}),
        ("States.StringToJson($.json)", {"k": 1}),
        ("States.JsonToString($.o)", '{"x":1}'),
        ("States.MathAdd($.a, 4)", 5),
        ("States.StringSplit('a,b', ',')", ["a", "b"]),
    ],
    ids=lambda value: value.partition("(")[0] if isinstance(value, str) and value.startswith("States.") else "",
)
def test_intrinsic_functions(machine, expression, expected):
    """Intrinsic functions compute with what paths find."""
    given = {"a": 1, "list": [1, 2, 3], "twice": [1, 1, 2], "o": {"x": 1}, "p": {"y": 2}, "json": '{"k": 1}'}
    made = output(machine({"P": {"Type": "Pass", "Parameters": {"r.$": expression}, "End": True}}, given))["r"]
    if isinstance(made, str) and isinstance(expected, str) and expected.startswith("{"):
        made, expected = json.loads(made), json.loads(expected)
    assert (sorted(made) if expression.startswith("States.ArrayUnique") else made) == expected


def distributed(processor=None, **options):
    inner = processor or {"P": {"Type": "Pass", "End": True}}
    item_processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": next(iter(inner)),
        "States": inner,
    }
    return {"Map": {"Type": "Map", "ItemProcessor": item_processor, "End": True, **options}}


FAILING = {
    "C": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThanEquals": 8, "Next": "F"}], "Default": "S"},
    "F": {"Type": "Fail", "Error": "Mine", "Cause": "because"},
    "S": {"Type": "Pass", "End": True},
}
TEN = [{"n": n} for n in range(10)]


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


@pytest.mark.rule(JSONATA)
def test_jsonata(machine):
    """With QueryLanguage JSONata expressions compute a state's output from its input."""
    state = {
        "Type": "Pass",
        "Output": {"sum": "{% $sum($states.input.items.price) %}", "first": "{% $states.input.items[0].name %}"},
        "End": True,
    }
    items = [{"name": "a", "price": 1.5}, {"name": "b", "price": 2}]
    assert output(machine({"P": state}, {"items": items}, QueryLanguage="JSONata")) == {"sum": 3.5, "first": "a"}


@pytest.mark.rule(JSONATA)
def test_jsonata_variables(machine):
    """Assign keeps values in variables for later states."""
    states = {
        "A": {"Type": "Pass", "Assign": {"x": "{% $states.input.a + 1 %}"}, "Next": "B"},
        "B": {"Type": "Pass", "Output": "{% $x * 2 %}", "End": True},
    }
    assert output(machine(states, {"a": 1}, QueryLanguage="JSONata")) == 4


@pytest.mark.rule(JSONATA)
def test_jsonata_conditions(machine):
    """A Choice state of JSONata goes by the condition that is true."""
    states = {
        "C": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.a > 1 %}", "Next": "Yes"}], "Default": "No"},
        "Yes": {"Type": "Pass", "Output": "yes", "End": True},
        "No": {"Type": "Pass", "Output": "no", "End": True},
    }
    assert output(machine(states, {"a": 2}, QueryLanguage="JSONata")) == "yes"


@pytest.mark.rule(JSONATA)
def test_an_undefined_expression_fails(machine):
    """An expression that is undefined fails the state with States.QueryEvaluationError."""
    state = {"Type": "Pass", "Output": "{% $states.input.missing %}", "End": True}
    ended = machine({"P": state}, {}, QueryLanguage="JSONata")
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")


@pytest.mark.rule("step-functions/latest/dg/connect-to-resource.html#connect-wait-token")
def test_a_task_token_is_waited_for(clients, machine):
    """A task with .waitForTaskToken waits until SendTaskSuccess or SendTaskFailure brings its token back."""
    url = clients("sqs").create_queue(QueueName="tokens")["QueueUrl"]
    client = clients("stepfunctions")
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True,
        "Parameters": {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}},
    }  # fmt: skip
    definition = {"StartAt": "T", "States": {"T": task}}
    arn = client.create_state_machine(
        name="waiting", definition=json.dumps(definition), roleArn=f"arn:aws:iam::{clients.account}:role/machine"
    )["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=arn)["executionArn"]
    message = clients("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]
    assert client.describe_execution(executionArn=execution)["status"] == "RUNNING"
    client.send_task_success(taskToken=json.loads(message["Body"])["token"], output='{"ok": true}')
    described = wait_until(
        lambda: (d := client.describe_execution(executionArn=execution))["status"] != "RUNNING" and d, "the execution to end"
    )
    assert json.loads(described["output"]) == {"ok": True}


REDRIVE = "step-functions/latest/dg/redrive-executions.html"


@pytest.mark.rule(REDRIVE)
def test_a_redrive_goes_on_with_the_failed_state(clients, functions, note, seen):
    """RedriveExecution goes on with the state that failed, with its input; states that succeeded are not run again."""
    source = 'def handler(event, context):\n    note(event)\n    assert event["n"] == 1\n    return {"n": event["n"] + 1}\n'
    functions.create("step", note + source)
    client = clients("stepfunctions")
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:step"
    states = {"One": {"Type": "Task", "Resource": arn, "Next": "Two"}, "Two": {"Type": "Task", "Resource": arn, "End": True}}
    machine = client.create_state_machine(
        name="redriven",
        definition=json.dumps({"StartAt": "One", "States": states}),
        roleArn=f"arn:aws:iam::{clients.account}:role/machine",
    )["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=machine, input='{"n": 1}')["executionArn"]

    def ended(status):
        return wait_until(lambda: (d := client.describe_execution(executionArn=execution))["status"] == status and d, status)

    assert ended("FAILED")["redriveStatus"] == "REDRIVABLE"
    healed = zipped({"app.py": note + 'def handler(event, context):\n    note(event)\n    return {"n": event["n"] + 1}\n'})
    clients("lambda").update_function_code(FunctionName="step", ZipFile=healed)
    clients("lambda").get_waiter("function_updated_v2").wait(FunctionName="step", WaiterConfig={"Delay": 1})
    client.redrive_execution(executionArn=execution)
    described = ended("SUCCEEDED")
    assert (json.loads(described["output"]), described["redriveCount"]) == ({"n": 3}, 1)
    assert seen() == [{"n": 1}, {"n": 2}, {"n": 2}]


@pytest.mark.rule(REDRIVE)
def test_a_success_cannot_be_redriven(clients, machine):
    """RedriveExecution of an execution that succeeded answers ExecutionNotRedrivable."""
    ended = machine({"P": {"Type": "Pass", "End": True}})
    assert (ended["redriveStatus"], ended["redriveCount"]) == ("NOT_REDRIVABLE", 0)
    with pytest.raises(clients("stepfunctions").exceptions.ExecutionNotRedrivable):
        clients("stepfunctions").redrive_execution(executionArn=ended["executionArn"])


@pytest.mark.rule("step-functions/latest/apireference/API_StartExecution.html")
def test_an_execution_name_is_used_once(clients):
    """StartExecution with a name that was used with another input answers ExecutionAlreadyExists."""
    client = clients("stepfunctions")
    definition = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    arn = client.create_state_machine(
        name="named", definition=json.dumps(definition), roleArn=f"arn:aws:iam::{clients.account}:role/machine"
    )["stateMachineArn"]
    client.start_execution(stateMachineArn=arn, name="mine", input="{}")
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(stateMachineArn=arn, name="mine", input='{"a": 1}')


@pytest.mark.rule("step-functions/latest/dg/service-quotas.html")
def test_a_state_passes_at_most_256_kib(machine):
    """A state whose output exceeds 256 KiB fails with States.DataLimitExceeded."""
    state = {"Type": "Pass", "Parameters": {"a.$": "States.Format('{}{}', $.text, $.text)"}, "End": True}
    ended = machine({"P": state}, {"text": "x" * 140_000})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")
