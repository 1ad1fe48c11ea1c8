"""The routes of REST APIs: made once for a deployment, and kept no longer than its account."""

from __future__ import annotations

import gc
import weakref

import pytest
from localstack.services.apigateway.models import MergedRestApi, RestApiDeployment
from localstack.services.apigateway.next_gen.execute_api.handlers import resource_router

from harness.inside import forgotten
from harness.inside.patches import apigateway

ROUTER = resource_router.InvocationRequestRouter


@pytest.fixture(autouse=True)
def _patched(monkeypatch):
    monkeypatch.setattr(ROUTER, "get_router_for_deployment", ROUTER.get_router_for_deployment)
    apigateway.routers.apply(resource_router)


def deployment():
    return RestApiDeployment("000000000001", "us-east-1", MergedRestApi({"id": "a"}))


def test_they_are_made_once():
    one, other = deployment(), deployment()
    assert ROUTER.get_router_for_deployment(one) is ROUTER.get_router_for_deployment(one)
    assert ROUTER.get_router_for_deployment(one) is not ROUTER.get_router_for_deployment(other)


def test_they_go_with_an_account():
    made = deployment()
    router = weakref.ref(ROUTER.get_router_for_deployment(made))
    assert router() is not None
    forgotten.forget("000000000001")
    gc.collect()
    assert router() is None
