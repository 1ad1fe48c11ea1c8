"""Random small batches under random small fault plans, against one stack: whatever happens, every record is accounted for.

A failing example is printed as a scenario file that `pipeproof run` reproduces.
"""

from __future__ import annotations

import itertools

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import reconcile
from harness.accounting.verdict import Judgement, judge
from harness.emulator.clients import Clients
from harness.faults.plan import dump, load, named
from harness.parts.ports import DUPLICATE, LATE
from harness.parts.sources.clickstream import MALFORMERS
from harness.run.drain import Rest, drain
from harness.run.fault_run import FaultRun
from harness.run.offering import offer, units
from harness.run.recipe import Recipe, open_load
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario
from harness.scenario.references import resolved
from harness.stack import deploy as stacks
from tests import loads
from tests.e2e.commands import KIND

RECORD_FAULTS = (*MALFORMERS, DUPLICATE, LATE)
FUNCTION = "StreamTransformFunction"
EXAMPLES = 50

first = st.integers(1, 3)
windows = st.builds(lambda a, n: f"{a}-{a + n}", first, st.integers(0, 2))
service_faults = st.builds(
    lambda kind, target, calls: {"kind": kind, "calls": calls, **target} | ({"seconds": 0.1} if kind == "latency" else {}),
    st.sampled_from(["throttle", "error", "latency", "cut", "reply_lost"]),
    st.sampled_from(
        [
            {"service": "s3", "operation": "PutObject", "caller": FUNCTION},
            {"service": "dynamodb", "caller": FUNCTION},
            {"service": "sqs", "operation": "SendMessageBatch", "resource": "DeadLetterQueue"},
            {"service": "sns", "operation": "Publish"},
        ]
    ),
    windows,
)
partial_faults = st.builds(
    lambda target, calls, entries: {"kind": "partial", "calls": calls, "entries": entries, **target},
    st.sampled_from(
        [
            {"service": "kinesis", "operation": "PutRecords", "caller": "harness"},
            {"service": "dynamodb", "operation": "BatchGetItem", "caller": FUNCTION},
            {"service": "sqs", "operation": "SendMessageBatch", "resource": "DeadLetterQueue"},
        ]
    ),
    windows,
    st.sampled_from(["all", "1", "every 2", "30%"]),
)
lambda_faults = st.builds(
    lambda kind, invocations, calls: {"kind": kind, "function": FUNCTION, "invocations": invocations}
    | ({"after_calls": calls} if kind == "lambda_killed_during" else {})
    | ({"seconds": 0.1} if kind == "lambda_slow" else {}),
    st.sampled_from(
        [
            "lambda_error_before", "lambda_error_after", "lambda_timeout", "lambda_throttled", "lambda_killed_before",
            "lambda_killed_during", "lambda_killed_after", "lambda_slow",
        ]
    ),
    windows,
    st.integers(1, 3),
)  # fmt: skip
record_faults = st.builds(
    lambda malform, records: {"kind": "record", "malform": malform, "records": records},
    st.sampled_from(RECORD_FAULTS),
    st.sampled_from(["0", "every 7", "3 mod 5", "2-4"]),
)
plans = st.lists(st.one_of(service_faults, partial_faults, lambda_faults, record_faults), max_size=4)


@pytest.fixture(scope="module")
def stack(emulator):
    """One stack for all examples. Each reads only what it has put there itself."""
    name, path = find_scenario("clickstream-smoke")
    scenario = load_scenario(path)
    clients = Clients(emulator.endpoint, account="700000000001")
    parameters = {"PythonRuntime": emulator.python_runtime, "ShardCount": "2"}
    deployed = stacks.deploy(clients, scenario.stack.template, parameters, name)
    return scenario, clients, deployed, stacks.physical_names(clients, name)


_runs = itertools.count()


# Fifty runs on a machine that may be busy: an example that is broken off leaves its records to the next.
@pytest.mark.timeout(1800)
@pytest.mark.skipif(KIND == "container", reason="a law of the pipeline and the accounting: once, on the embedded emulator")
def test_whatever_fails_every_record_is_accounted_for(stack, tmp_path_factory):
    scenario, clients, deployed, physical = stack
    values = {f"outputs.{key}": value for key, value in deployed.outputs.items()}
    root = tmp_path_factory.mktemp("runs")
    probes = [resolved(probe, values, "probes") for probe in scenario.probes]
    ingress = resolved(scenario.send, values, "send")

    def rest(timeout_s):
        *_, last = drain(clients.endpoint, clients.account, timeout_s, lambda: None)
        assert isinstance(last, Rest)
        return last

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        deadline=None,
        derandomize=True,
    )
    @given(st.integers(0, 2**32), st.integers(1, 60), st.sampled_from([0.0, 0.2]), plans)
    def conserve(seed, records, share, faults):
        plan = named(load(faults), seed)
        malformed = {"share": share, "kinds": ["bad_json", "unknown_enum", "missing_field"]} if share else None
        document = yaml.safe_load(find_scenario("clickstream-smoke")[1].read_text())
        document["source"] = {"kind": "clickstream", "records": records} | ({"malformed": malformed} if malformed else {})
        document |= {"faults": dump(plan), "seed": seed}
        note(f"as a scenario file, in scenarios/:\n{yaml.safe_dump(document, sort_keys=False)}")
        mine = scenario.model_copy(update={"source": type(scenario.source).model_validate(document["source"])})

        _empty(clients, values)
        source = open_load(Recipe("random", mine, seed, faults=plan))
        run = FaultRun(plan, source, clients)
        run_dir = root / str(next(_runs))
        run_dir.mkdir()
        run.arm(physical)
        try:
            context = loads.context(clients, run_dir)
            with Ledger(run_dir / "ledger.parquet") as ledger:
                for batch in offer(units(source, ingress), ingress, context):
                    for record, answer in batch:
                        ledger.add(record, answer)
            if run.armed:
                rest(60)
        finally:
            run.end()
        last = rest(120)
        assert last.known, last.doubt
        write_observations(run_dir / "observations.parquet", (o for probe in probes for o in probe.open(context)))
        account = reconcile(run_dir / "ledger.parquet", run_dir / "observations.parquet", run_dir, run.met)
        verdict = judge(account, {"unacknowledged": records * 2, "healthy_rejected": records * 2})
        # Without a healthy record nothing shows that the way works.
        expected = Judgement.UNKNOWN if account.malformed == account.ingress.offered else Judgement.PASS
        assert verdict.judgement is expected, (verdict, account.examples)

    conserve()


def _empty(clients, values):
    """What earlier examples have left."""
    s3, bucket = clients("s3"), values["outputs.EventBucketName"]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=item["Key"])
    for name in ("DeadLetterQueueUrl", "FailedBatchQueueUrl", "AlertQueueUrl"):
        clients("sqs").purge_queue(QueueUrl=values[f"outputs.{name}"])
