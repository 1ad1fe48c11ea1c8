"""Patches of CloudWatch and CloudWatch Logs."""

from __future__ import annotations

import functools
from typing import Any

from harness.inside.patches.declare import NAME, patch


@patch(
    "localstack.services.logs.provider",
    {
        "get_pattern_matcher": ("pattern",),
        "is_api_enabled": NAME,
        "moto_put_log_events": ("self", "log_events"),
        "MotoLogStream": NAME,
    },
)
def log_patterns(module: Any) -> None:
    """LocalStack's filter patterns match everything, its metric filters look at all groups, and a second subscription gets what the first one let
    through."""
    from harness.inside.logs import events  # noqa: PLC0415

    module.get_pattern_matcher = events.pattern_matcher
    # What LocalStack's PutLogEvents asks before it looks at metric filters.
    module.is_api_enabled = lambda _service: False
    module.MotoLogStream.put_log_events = events.put_log_events


@patch(
    "moto.logs.models",
    {"LogGroup.filter_log_events": ("self", "log_group_name", "log_stream_names", "start_time", "end_time", "limit", "next_token")},
)
def log_order(module: Any) -> None:
    """Moto returns the events of one stream after those of another, unless it is asked for their order, which AWS always keeps."""
    filtered = module.LogGroup.filter_log_events

    def by_time(self: Any, *args: Any) -> Any:
        # The last one is `interleaved`, which AWS does not look at any longer.
        return filtered(self, *args[:-1], True)  # noqa: FBT003 - as moto calls it

    module.LogGroup.filter_log_events = by_time


@patch(
    "moto.logs.models",
    {"LogGroup.put_subscription_filter": ("self", "filter_name", "filter_pattern", "destination_arn", "role_arn")},
)
def subscription_filters(module: Any) -> None:
    """Moto refuses to change a filter of a group that has two, which is as many as it may have."""
    put = module.LogGroup.put_subscription_filter

    def changed(self: Any, filter_name: str, filter_pattern: str, destination_arn: str, role_arn: str) -> None:
        if filter_name in self.subscription_filters:
            self.subscription_filters[filter_name].update(filter_pattern, destination_arn, role_arn)
        else:
            put(self, filter_name, filter_pattern, destination_arn, role_arn)

    module.LogGroup.put_subscription_filter = changed


@patch("moto.logs.responses", {"LogsResponse": NAME})
def log_keys(module: Any) -> None:
    """Moto keeps the key of a group that is created with one, and knows no operation to set it later."""
    from moto.logs.exceptions import ResourceNotFoundException  # noqa: PLC0415

    def associate(self: Any) -> str:
        _group(self).kms_key_id = self._get_param("kmsKeyId")
        return ""

    def disassociate(self: Any) -> str:
        _group(self).kms_key_id = None
        return ""

    def _group(response: Any) -> Any:
        name = response._get_param("logGroupName")  # noqa: SLF001
        if name not in response.logs_backend.groups:
            raise ResourceNotFoundException
        return response.logs_backend.groups[name]

    module.LogsResponse.associate_kms_key, module.LogsResponse.disassociate_kms_key = associate, disassociate


@patch(
    "localstack.services.cloudwatch.cloudwatch_database_helper",
    {
        "CloudwatchDatabase.get_metric_data_stat": ("self", "account_id", "region", "query", "start_time", "end_time", "scan_by"),
        "CloudwatchDatabase.add_metric_data": ("self", "account_id", "region", "namespace", "metric_data"),
    },
)
def database(module: Any) -> None:
    """LocalStack's database has no database, and a commit for every metric."""
    from harness.inside.cloudwatch import statistics, writes  # noqa: PLC0415

    original = module.CloudwatchDatabase.get_metric_data_stat

    def stat(
        self: Any, account_id: str, region: str, query: Any, start_time: Any, end_time: Any, scan_by: Any
    ) -> dict[str, list[Any]]:
        if not statistics.is_percentile(query["MetricStat"]["Stat"]):
            return original(self, account_id, region, query, start_time, end_time, scan_by)  # type: ignore[no-any-return]
        times, values = statistics.percentiles(
            self, account_id, region, query, int(start_time.timestamp()), int(end_time.timestamp())
        )
        order = slice(None) if scan_by == "TimestampAscending" else slice(None, None, -1)
        return {"timestamps": times[order], "values": values[order]}

    module.CloudwatchDatabase.get_metric_data_stat = stat
    module.CloudwatchDatabase.add_metric_data = writes.add_metric_data


@patch(
    "localstack.services.cloudwatch.provider_v2",
    {
        "CloudwatchProvider.get_metric_data": ("self", "context", "metric_data_queries", "start_time", "end_time"),
        "CloudwatchProvider.get_metric_statistics": (
            "self",
            "context",
            "namespace",
            "metric_name",
            "start_time",
            "end_time",
            "period",
        ),
    },
)
def metric_math(module: Any) -> None:
    """LocalStack answers neither expressions over metrics nor extended statistics."""
    from harness.inside.cloudwatch import queries  # noqa: PLC0415

    provider = module.CloudwatchProvider
    provider.get_metric_data = queries.get_metric_data(provider.get_metric_data)
    provider.get_metric_statistics = queries.get_metric_statistics(provider.get_metric_statistics)


@patch(
    "localstack.services.cloudwatch.alarm_scheduler",
    {"get_metric_alarm_details_for_alarm_arn": ("alarm_arn",), "collect_metric_data": ("alarm_details", "client")},
)
def alarms(module: Any) -> None:
    """LocalStack does not evaluate alarms on percentiles and on metric math."""
    from harness.inside.cloudwatch import alarms as ours  # noqa: PLC0415

    module.get_metric_alarm_details_for_alarm_arn = ours.described(module.get_metric_alarm_details_for_alarm_arn)
    module.collect_metric_data = ours.collected(module.collect_metric_data)


@patch(
    "localstack.services.cloudwatch.provider_v2",
    {
        "CloudwatchProvider.put_composite_alarm": ("self", "context", "request"),
        "CloudwatchProvider._evaluate_composite_alarm": ("self", "context", "composite_alarm", "triggering_alarm"),
        "CloudwatchProvider._validate_alarm_rule_expression": ("self", "alarm_rule"),
        "CloudwatchProvider._update_state": ("self", "context", "alarm", "state_value", "state_reason", "state_reason_data"),
        "CloudwatchProvider._run_composite_alarm_actions": (
            "self",
            "context",
            "composite_alarm",
            "old_state_value",
            "triggering_alarm",
        ),
        "_STORE_LOCK": NAME,
    },
)
def composite_alarms(module: Any) -> None:
    """LocalStack evaluates composite alarms alone whose rule is an OR of ALARM, and none before one of their alarms has changed."""
    provider = module.CloudwatchProvider
    put = provider.put_composite_alarm

    @functools.wraps(put)
    def put_composite_alarm(self: Any, context: Any, request: Any) -> None:
        from localstack.utils.aws import arns  # noqa: PLC0415

        from harness.inside.cloudwatch import composite_alarms as ours  # noqa: PLC0415

        ours.verify(request["AlarmRule"])
        put(self, context, request)
        with module._STORE_LOCK:  # noqa: SLF001
            arn = arns.cloudwatch_alarm_arn(request["AlarmName"], account_id=context.account_id, region_name=context.region)
            made = self.get_store(context.account_id, context.region).alarms[arn]
            ours.evaluate(self, context, made, made)

    def evaluated(self: Any, context: Any, composite_alarm: Any, triggering_alarm: Any) -> None:
        from harness.inside.cloudwatch import composite_alarms as ours  # noqa: PLC0415

        ours.evaluate(self, context, composite_alarm, triggering_alarm)

    provider.put_composite_alarm = put_composite_alarm
    provider._evaluate_composite_alarm = evaluated  # noqa: SLF001
    provider._validate_alarm_rule_expression = lambda _self, _rule: []  # noqa: SLF001


@patch(
    "localstack.services.cloudwatch.provider_v2",
    {"CloudwatchProvider._update_state": ("self", "context", "alarm", "state_value", "state_reason")},
)
def state_events(module: Any) -> None:
    """LocalStack tells EventBridge nothing of an alarm."""
    from harness.inside.cloudwatch.state_events import told  # noqa: PLC0415

    module.CloudwatchProvider._update_state = told(module.CloudwatchProvider._update_state)  # noqa: SLF001


@patch(
    "localstack.services.cloudwatch.provider_v2",
    {"CloudwatchProvider.describe_alarm_history": ("self", "context", "alarm_name")},
)
def alarm_history(module: Any) -> None:
    """LocalStack 2026.3.0 fails where a time is asked for, and no LocalStack looks at the kind of the items, at their order and their number."""
    from harness.inside.cloudwatch.alarm_history import described  # noqa: PLC0415

    module.CloudwatchProvider.describe_alarm_history = described(module.CloudwatchProvider.describe_alarm_history)


PATCHES = (
    log_patterns,
    log_order,
    log_keys,
    subscription_filters,
    database,
    metric_math,
    alarms,
    composite_alarms,
    state_events,
    alarm_history,
)
