"""`tox -e bench -- workflows`: what the batches of the records pipeline cost as Standard executions, and as Express ones.

Both run the same workflow on the same file. Standard is paid by state transitions, Express by requests and by the time and memory of each. The prices
are AWS's, in prices.yaml. The time is that of this machine, and the memory is the smallest that AWS bills: on AWS, Express may cost less or more.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.aws.estimate import prices as aws_prices
from harness.emulator.clients import Clients
from harness.emulator.embedded import Embedded
from harness.run.drain import Rest, drain
from harness.stack import deploy as stacks
from tests.bench.figures import Figure, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

VARIANTS = {"map": "Standard", "express": "Express"}
BATCH_SIZE = 500
_TEMPLATE = Path(__file__).parents[2] / "pipeline" / "records" / "template.yaml"
_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Cost:
    """One round: state transitions of Standard executions, and the requests and GB-seconds of Express ones."""

    transitions: int
    requests: int
    gb_seconds: float
    took_s: float

    def dollars(self, prices: Mapping[str, Any]) -> float:
        """Returns US dollars for the workflows alone, without what their functions cost."""
        return float(
            self.transitions * prices["states_transition"]
            + self.requests * prices["states_express_request"]
            + self.gb_seconds * prices["states_express_gb_second"]
        )


def bench_workflows(records: int, repetitions: int, out: Path, tell: Callable[[str], None]) -> list[Figure]:
    """Returns all figures, per million records. Raises RuntimeError where a record is not stored: the price of a failure says nothing."""
    prices = aws_prices()
    rounds: dict[str, list[Cost]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory(prefix="pipeproof-bench-") as scratch:
        emulator = Embedded(Path(scratch, "emulator.log"))
        for step in emulator.prepare():
            tell(step)
        try:
            description = emulator.start()
            for number in range(repetitions):
                for place, variant in enumerate(VARIANTS):
                    tell(f"run {number + 1} of {repetitions}: {records:,} records, {VARIANTS[variant]}")
                    account = f"{number * len(VARIANTS) + place + 1:012d}"
                    clients = Clients(description.endpoint, account)
                    rounds[variant].append(_measured(clients, variant, description.python_runtime, records))
        finally:
            emulator.stop()
    scale = 1_000_000 / records
    figures = []
    for variant, name in VARIANTS.items():
        costs = rounds[variant]
        figures += [
            Figure(f"{name}: the execution of a file", "s", tuple(one.took_s for one in costs), None, "lower"),
            Figure(f"{name}: transitions", "per million", tuple(one.transitions * scale for one in costs), None, "lower"),
            Figure(f"{name}: Express requests", "per million", tuple(one.requests * scale for one in costs), None, "lower"),
            Figure(
                f"{name}: Express memory and time",
                "GB-s per million",
                tuple(one.gb_seconds * scale for one in costs),
                None,
                "lower",
            ),
            Figure(f"{name}: a million records on AWS", "US$", tuple(one.dollars(prices) * scale for one in costs), None, "lower"),
        ]
    write(figures, out)
    return figures


def _measured(clients: Clients, variant: str, runtime: str, records: int) -> Cost:
    parameters = {"PythonRuntime": runtime, "Variant": variant, "BatchSize": str(BATCH_SIZE)}
    stack = stacks.deploy(clients, _TEMPLATE, parameters, "workflows")
    body = json.dumps([{"id": f"r-{number}", "value": number} for number in range(records)])
    clients("s3").put_object(Bucket=stack.outputs["DataBucketName"], Key="input/records.json", Body=body)
    *_, last = drain(clients.endpoint, clients.account, _TIMEOUT_S, lambda: None)
    if not isinstance(last, Rest) or not last.known:
        raise RuntimeError(f"{variant}: the pipeline did not come to rest")
    pages = clients("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["RecordsTableName"], Select="COUNT")
    if (stored := sum(page["Count"] for page in pages)) != records:
        raise RuntimeError(f"{variant}: {stored} of {records} records are stored")
    histories = list(_histories(clients))
    main = next(one for name, one in histories if "MainStateMachine" in name)
    took = main[-1]["timestamp"] - main[0]["timestamp"]
    transitions, billed = 0, []
    for _, history in histories:
        # Each state that is entered is one transition, and so are the start and each retry.
        kinds = Counter(event["type"] for event in history)
        entered = sum(number for kind, number in kinds.items() if kind.endswith("StateEntered"))
        transitions += 1 + entered + kinds["TaskScheduled"] - kinds["TaskStateEntered"]
        answers = [event["taskSucceededEventDetails"].get("output") for event in history if event["type"] == "TaskSucceeded"]
        billed += [answer["BillingDetails"] for answer in map(_parsed, answers) if "BillingDetails" in answer]
    # LocalStack writes the unit as Mb.
    megabytes = [one.get("BilledMemoryUsedInMB") or one["BilledMemoryUsedInMb"] for one in billed]
    gb_seconds = sum(
        one["BilledDurationInMilliseconds"] / 1000 * memory / 1024 for one, memory in zip(billed, megabytes, strict=True)
    )
    stacks.delete(clients, "workflows")
    return Cost(transitions, len(billed), gb_seconds, took.total_seconds())


def _parsed(text: str | None) -> dict[str, Any]:
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


def _histories(clients: Clients) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yields the history of each Standard execution. Express ones have none."""
    client = clients("stepfunctions")
    for machine in client.list_state_machines()["stateMachines"]:
        if machine["type"] == "EXPRESS":
            continue
        for page in client.get_paginator("list_executions").paginate(stateMachineArn=machine["stateMachineArn"]):
            for execution in page["executions"]:
                pages = client.get_paginator("get_execution_history").paginate(executionArn=execution["executionArn"])
                yield machine["name"], [event for page in pages for event in page["events"]]
