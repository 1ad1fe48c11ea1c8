"""REST APIs: the event and the answers of Lambda proxy integrations, API keys, usage plans and throttling."""

from __future__ import annotations

import json

import pytest
import urllib3

from tests.conformance.functions import wait_until

PROXY = "apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html"
PLANS = "apigateway/latest/developerguide/api-gateway-api-usage-plans.html"
THROTTLING = "apigateway/latest/developerguide/api-gateway-request-throttling.html"
ECHO = "import json\ndef handler(event, context):\n    return {'statusCode': 200, 'body': json.dumps(event)}\n"


@pytest.fixture
def api(clients, functions, emulator):
    """Makes a REST API whose /orders/{id}, any method, is a function's; returns what asks it."""

    def make(source=ECHO, *, key_required=False, stage_patches=(), **options):
        gateway = clients("apigateway")
        functions.create("f", source, Timeout=20)
        api = gateway.create_rest_api(name="api")["id"]
        root = gateway.get_resources(restApiId=api)["items"][0]["id"]
        orders = gateway.create_resource(restApiId=api, parentId=root, pathPart="orders")["id"]
        resource = gateway.create_resource(restApiId=api, parentId=orders, pathPart="{id}")["id"]
        for of in (orders, resource):
            gateway.put_method(
                restApiId=api, resourceId=of, httpMethod="ANY", authorizationType="NONE", apiKeyRequired=key_required
            )
            arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:f"
            gateway.put_integration(
                restApiId=api, resourceId=of, httpMethod="ANY", type="AWS_PROXY", integrationHttpMethod="POST",
                uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations", **options,
            )  # fmt: skip
        clients("lambda").add_permission(
            FunctionName="f", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
        )
        gateway.create_deployment(restApiId=api, stageName="prod")
        if stage_patches:
            gateway.update_stage(restApiId=api, stageName="prod", patchOperations=list(stage_patches))

        def ask(method="GET", path="/orders/7", *, body=None, headers=None):
            url = f"{emulator.endpoint}/_aws/execute-api/{api}/prod{path}"
            return urllib3.request(method, url, body=body, headers=headers, retries=False, timeout=40)

        ask.api_id = api
        return ask

    return make


@pytest.fixture
def plan(clients):
    """Makes a usage plan with a key; returns the headers that have it."""

    def make(api_id, value="v" * 20, **options):
        gateway = clients("apigateway")
        stages = [{"apiId": api_id, "stage": "prod", **({"throttle": options.pop("methods")} if "methods" in options else {})}]
        made = gateway.create_usage_plan(name="plan", apiStages=stages, **options)["id"]
        key = gateway.create_api_key(name=f"key-{value[:3]}", value=value, enabled=True)["id"]
        gateway.create_usage_plan_key(usagePlanId=made, keyId=key, keyType="API_KEY")
        return {"x-api-key": value}

    return make


@pytest.mark.rule(PROXY)
def test_the_event_of_a_proxy_integration(api):
    """The event has resource, path and parameters, the headers and the body as they were sent."""
    ask = api()
    event = ask("POST", "/orders/7?tag=x&tag=y", body=b'{"n": 1}', headers={"X-A": "b"}).json()
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/orders/{id}", "/orders/7", "POST")
    assert (event["pathParameters"], event["queryStringParameters"]) == ({"id": "7"}, {"tag": "y"})
    assert event["multiValueQueryStringParameters"] == {"tag": ["x", "y"]}
    assert (event["body"], event["isBase64Encoded"], event["headers"]["X-A"]) == ('{"n": 1}', False, "b")
    assert (event["requestContext"]["stage"], event["requestContext"]["apiId"]) == ("prod", ask.api_id)


@pytest.mark.rule(PROXY)
@pytest.mark.parametrize(
    "source", ["raise ValueError('no')", "return {'message': 'no status'}", "return 'text'", "return {'statusCode': 'x'}"]
)
def test_a_malformed_answer_is_a_502(api, source):
    """An error of the function, or an answer in another form, is 502 Internal server error."""
    answer = api(f"def handler(event, context):\n    {source}\n")()
    assert (answer.status, answer.json()) == (502, {"message": "Internal server error"})


@pytest.mark.rule(PROXY)
def test_headers_of_an_answer(api):
    """Headers, several values of one, and the status are those of the function."""
    source = """
def handler(event, context):
    return {"statusCode": 418, "headers": {"X-A": "one"}, "multiValueHeaders": {"X-B": ["two", "three"]}, "body": "tea"}
"""
    answer = api(source)()
    assert (answer.status, answer.data, answer.headers["X-A"]) == (418, b"tea", "one")
    assert answer.headers.getlist("X-B") == ["two", "three"]


@pytest.mark.rule("apigateway/latest/developerguide/supported-gateway-response-types.html")
def test_a_path_that_is_not_there_is_a_403(api):
    """A request without a resource or method is 403 Missing Authentication Token."""
    answer = api()("GET", "/nothing")
    assert (answer.status, answer.json()) == (403, {"message": "Missing Authentication Token"})


@pytest.mark.rule(PLANS)
@pytest.mark.parametrize("headers", [{}, {"x-api-key": "another"}])
def test_a_request_without_a_valid_key_is_a_403(api, plan, headers):
    """A method that needs a key refuses requests without one of a usage plan of its stage."""
    ask = api(key_required=True)
    good = plan(ask.api_id)
    answer = ask(headers=headers)
    assert (answer.status, answer.json()) == (403, {"message": "Forbidden"})
    assert ask(headers=good).status == 200


@pytest.mark.rule(PLANS)
def test_a_usage_plan_throttles_each_of_its_keys(api, plan):
    """Beyond burst and rate the answer is 429 Too Many Requests; the requests with the key of another plan are counted separately."""
    ask = api(key_required=True)
    first = plan(ask.api_id, throttle={"burstLimit": 3, "rateLimit": 0.01})
    second = plan(ask.api_id, value="w" * 20, throttle={"burstLimit": 1, "rateLimit": 0.01})
    answers = [ask(headers=first) for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * 3 + [429] * 2
    assert answers[-1].json() == {"message": "Too Many Requests"}
    assert [ask(headers=second).status for _ in range(2)] == [200, 429]


@pytest.mark.rule(PLANS)
def test_a_usage_plan_throttles_a_method(api, plan):
    """A plan can limit a single method; the other methods keep the limits of the plan."""
    ask = api(key_required=True)
    headers = plan(
        ask.api_id,
        throttle={"burstLimit": 50, "rateLimit": 50.0},
        methods={"/orders/{id}/POST": {"burstLimit": 1, "rateLimit": 0.01}},
    )
    assert [ask("POST", body=b"x", headers=headers).status for _ in range(2)] == [200, 429]
    assert [ask("GET", headers=headers).status for _ in range(3)] == [200] * 3


@pytest.mark.rule(PLANS)
def test_a_quota_ends(api, plan):
    """After as many requests as the quota has, the answer is 429 Limit Exceeded."""
    ask = api(key_required=True)
    headers = plan(ask.api_id, quota={"limit": 2, "period": "MONTH"})
    answers = [ask(headers=headers) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[-1].json() == {"message": "Limit Exceeded"}


@pytest.mark.rule(THROTTLING)
def test_a_stage_throttles(api):
    """The method settings of a stage bound all requests, whoever sends them."""
    patches = [
        {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "0.01"},
        {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "2"},
    ]
    ask = api(stage_patches=patches)
    assert [ask().status for _ in range(4)] == [200, 200, 429, 429]


@pytest.mark.rule("apigateway/latest/developerguide/how-to-deploy-api.html")
def test_a_deployment_is_a_snapshot(api, clients):
    """What is changed after a deployment is not served until the next one."""
    ask = api()
    gateway = clients("apigateway")
    root = next(one["id"] for one in gateway.get_resources(restApiId=ask.api_id)["items"] if one["path"] == "/")
    made = gateway.create_resource(restApiId=ask.api_id, parentId=root, pathPart="new")["id"]
    gateway.put_method(restApiId=ask.api_id, resourceId=made, httpMethod="GET", authorizationType="NONE")
    gateway.put_integration(
        restApiId=ask.api_id,
        resourceId=made,
        httpMethod="GET",
        type="MOCK",
        requestTemplates={"application/json": json.dumps({"statusCode": 200})},
    )
    gateway.put_method_response(restApiId=ask.api_id, resourceId=made, httpMethod="GET", statusCode="200")
    gateway.put_integration_response(restApiId=ask.api_id, resourceId=made, httpMethod="GET", statusCode="200")
    assert ask("GET", "/new").status == 403
    gateway.create_deployment(restApiId=ask.api_id, stageName="prod")
    assert ask("GET", "/new").status == 200


@pytest.mark.rule("apigateway/latest/developerguide/limits.html")
def test_an_integration_that_takes_too_long_is_a_504(api, note, seen):
    """After the integration's time-out the answer is 504 Endpoint request timed out; the function goes on."""
    source = f"{note}\ndef handler(event, context):\n    time.sleep(2)\n    note('done')\n"
    answer = api(source, timeoutInMillis=1000)()
    assert (answer.status, answer.json()) == (504, {"message": "Endpoint request timed out"})
    assert wait_until(seen, "the function to end") == ["done"]
