"""Lambda: invocations that run or wait for an environment, and asynchronous ones that wait in Lambda's own queue."""

from __future__ import annotations

from harness.inside.gauges.gauge import Counted, Level, loaded
from harness.inside.sqs.contents import contents

INVOCATIONS = Counted()
_INTERNAL_QUEUES = "localstack.services.lambda_.invocation.internal_sqs_queue"


def gauge(account: str | None) -> Level:
    """Returns {in_flight: {invocations, deliveries}}. Asynchronous invocations wait in queues of all accounts: they count for each."""
    invocations, waiting = INVOCATIONS.count(account), _asynchronous_invocations()
    return Level(invocations + waiting > 0, {"invocations": invocations, "deliveries": waiting})


def _asynchronous_invocations() -> int:
    module = loaded(_INTERNAL_QUEUES)
    if module is None:
        return 0
    queues = list(module.get_fake_sqs_client().queue_manager.queues.values())
    return sum(contents(queue).total for queue in queues)
