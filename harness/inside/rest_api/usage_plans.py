"""How many requests a REST API lets through: the throttling of its stages, and that and the quotas of usage plans.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html and …/api-gateway-api-usage-plans.html
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from localstack.services.apigateway.next_gen.execute_api.gateway_response import QuotaExceededError, ThrottledError
from localstack.services.apigateway.next_gen.execute_api.moto_helpers import get_usage_plan_keys, get_usage_plans

from harness.inside import throttle

_lock = threading.Lock()
_used: Counter[tuple[str, str, str]] = Counter()


def take(context: Any) -> None:
    """Counts a request, LocalStack's context of it, whose key has been found valid. Raises ThrottledError or QuotaExceededError."""
    method = f"{context.resource['path']}/{context.invocation_request['http_method']}"
    settings = (context.stage_configuration or {}).get("methodSettings") or {}
    escaped = method.replace("/", "~1", method.count("/") - 1)
    for name in (escaped, method, "*/*"):
        if name in settings:
            _take((context.api_id, context.stage, name), settings[name], "throttlingRateLimit", "throttlingBurstLimit")
            break
    key_id = (context.context_variables.get("identity") or {}).get("apiKeyId")
    if key_id:
        _take_of_plan(context, method, key_id)


def _take_of_plan(context: Any, method: str, key_id: str) -> None:
    for plan in get_usage_plans(account_id=context.account_id, region_name=context.region):
        stages = [
            stage
            for stage in plan.get("apiStages") or []
            if (stage.get("apiId"), stage.get("stage")) == (context.api_id, context.stage)
        ]
        keys = (
            get_usage_plan_keys(usage_plan_id=plan["id"], account_id=context.account_id, region_name=context.region)
            if stages
            else []
        )
        if not any(key["id"] == key_id for key in keys):
            continue
        _use_quota(plan, key_id)
        of_method = (stages[0].get("throttle") or {}).get(method)
        name = (plan["id"], key_id, method if of_method else "")
        _take(name, of_method or plan.get("throttle") or {}, "rateLimit", "burstLimit")
        return


def _take(name: tuple[str, ...], settings: dict[str, Any], rate: str, burst: str) -> None:
    limits = (settings.get(rate), settings.get(burst))
    if not throttle.takes(name, *(None if limit is None else float(limit) for limit in limits)):
        raise ThrottledError("Too Many Requests")


def _use_quota(plan: dict[str, Any], key_id: str) -> None:
    quota = plan.get("quota") or {}
    if not quota.get("limit"):
        return
    name = (plan["id"], key_id, _period(quota.get("period"), datetime.now(UTC)))
    with _lock:
        if _used[name] >= int(quota["limit"]):
            raise QuotaExceededError("Limit Exceeded")
        _used[name] += 1


def _period(kind: str | None, now: datetime) -> str:
    """Returns the day, week or month that a quota counts in, by its first day."""
    day = now.date()
    if kind == "WEEK":
        day -= timedelta(days=day.weekday())
    elif kind == "MONTH":
        day = day.replace(day=1)
    return day.isoformat()
