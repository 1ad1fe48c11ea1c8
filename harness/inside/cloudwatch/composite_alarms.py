"""Composite alarms, in the place of LocalStack's evaluation: it knows rules alone that are an OR of ALARM.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import CommonServiceException
from localstack.aws.api.cloudwatch import StateValue

from harness.inside.cloudwatch.alarm_rules import alarms_of, is_true


def verify(rule: str) -> None:
    """Raises CommonServiceException where a rule is none."""
    try:
        is_true(rule, lambda _: "OK")
    except ValueError as error:
        raise CommonServiceException("ValidationError", str(error), status_code=400, sender_fault=True) from error


def evaluate(provider: Any, context: Any, composite: Any, cause: Any) -> None:
    """Gives a composite alarm, LocalStack's, the state of its rule, and runs its actions where that is another one. `cause` is the alarm that has
    changed, or the composite itself."""
    alarms = provider.get_store(context.account_id, context.region).alarms

    def alarm_of(name: str) -> Any:
        return alarms.get(name) or next((one for one in alarms.values() if one.alarm["AlarmName"] == name), None)

    def state_of(name: str) -> str:
        alarm = alarm_of(name)
        return str(alarm.alarm["StateValue"]) if alarm else "INSUFFICIENT_DATA"

    rule, before = composite.alarm["AlarmRule"], composite.alarm["StateValue"]
    now = StateValue.ALARM if is_true(rule, state_of) else StateValue.OK
    if now == before:
        return
    if cause is composite:
        cause = next(filter(None, map(alarm_of, alarms_of(rule))), composite)
    arn, state = cause.alarm.get("AlarmArn"), cause.alarm.get("StateValue")
    at = cause.alarm.get("StateTransitionedTimestamp") or datetime.now(UTC)
    reason = f"{arn} transitioned to {state} at {at:%A %d %B, %Y %H:%M:%S %Z}"
    triggered = [{"arn": arn, "state": {"value": state, "timestamp": f"{at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000"}}]
    provider._update_state(context, composite, now, reason, {"triggeringAlarms": triggered})  # noqa: SLF001 - LocalStack's
    if composite.alarm["ActionsEnabled"]:
        provider._run_composite_alarm_actions(context, composite, before, cause)  # noqa: SLF001
    # One composite alarm may be a part of another.
    provider._evaluate_composite_alarms(context, composite)  # noqa: SLF001
