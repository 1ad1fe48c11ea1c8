"""HTTP APIs: routes, the events and answers of functions, errors, throttling, authorizers, and services as integrations."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3

from harness.conformance import PAGE
from tests.conformance.functions import wait_until

LAMBDA = "apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"
ROUTES = "apigateway/latest/developerguide/http-api-develop-routes.html"
SERVICES = "apigateway/latest/developerguide/http-api-develop-integrations-aws-services-reference.html"
CORS = "apigateway/latest/developerguide/http-api-cors.html"
JWT = "apigateway/latest/developerguide/http-api-jwt-authorizer.html"
AUTHORIZER = "apigateway/latest/developerguide/http-api-lambda-authorizer.html"
ECHO = "import json\ndef handler(event, context):\n    return {'statusCode': 200, 'body': json.dumps(event)}\n"


@pytest.fixture
def api(clients, functions, emulator):
    """Makes an HTTP API with these routes, all of one function, and returns what asks it."""

    def make(
        source=ECHO, *routes, version="2.0", stage="$default", stage_options=None, route_options=None, timeout=None, **options
    ):
        gateway = clients("apigatewayv2")
        functions.create("f", source, Timeout=20)
        made = gateway.create_api(Name="api", ProtocolType="HTTP", **options)
        arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:f"
        limited = {"TimeoutInMillis": timeout} if timeout else {}
        integration = gateway.create_integration(
            ApiId=made["ApiId"], IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion=version, **limited
        )["IntegrationId"]
        for route in routes or ("$default",):
            gateway.create_route(ApiId=made["ApiId"], RouteKey=route, Target=f"integrations/{integration}", **(route_options or {}))
        gateway.create_stage(ApiId=made["ApiId"], StageName=stage, AutoDeploy=True, **(stage_options or {}))
        clients("lambda").add_permission(
            FunctionName="f", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:{clients.account}:{made['ApiId']}/*",
        )  # fmt: skip

        return asking(emulator.endpoint, made["ApiId"])

    return make


def asking(endpoint, api_id):
    def ask(method="GET", path="/", *, body=None, headers=None):
        url = f"{endpoint}/_aws/execute-api/{api_id}{path}"
        return urllib3.request(method, url, body=body, headers=headers, retries=False, timeout=40)

    ask.api_id = api_id
    return ask


@pytest.mark.rule(LAMBDA)
def test_the_event_in_format_2(api):
    """Format 2.0: lower-case headers, several values joined with commas, cookies apart, the route and the request in requestContext."""
    ask = api(ECHO, "POST /orders/{id}", stage_options={"StageVariables": {"color": "blue"}})
    headers = urllib3.HTTPHeaderDict({"Content-Type": "application/json", "Cookie": "a=1; b=2", "User-Agent": "test"})
    headers.add("X-Two", "one")
    headers.add("X-Two", "two")
    event = ask("POST", "/orders/o%201?tag=x&tag=y&empty=", body=b'{"n": 1}', headers=headers).json()
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "POST /orders/{id}", "/orders/o 1")
    assert event["rawQueryString"] == "tag=x&tag=y&empty="
    assert event["queryStringParameters"] == {"tag": "x,y", "empty": ""}
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["pathParameters"] == {"id": "o 1"}
    assert event["stageVariables"] == {"color": "blue"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": 1}', False)
    assert (event["headers"]["x-two"], event["headers"]["content-type"]) == ("one,two", "application/json")
    assert "cookie" not in event["headers"]
    context = event["requestContext"]
    assert (context["apiId"], context["stage"], context["routeKey"]) == (ask.api_id, "$default", "POST /orders/{id}")
    assert context["http"] == {
        "method": "POST", "path": "/orders/o 1", "protocol": "HTTP/1.1", "sourceIp": context["http"]["sourceIp"], "userAgent": "test",
    }  # fmt: skip
    assert abs(context["timeEpoch"] / 1000 - time.time()) < 60


@pytest.mark.rule(LAMBDA)
def test_what_is_empty_is_not_in_an_event_of_format_2(api):
    """Format 2.0 leaves out body, cookies and parameters that a request has not."""
    event = api()("GET", "/").json()
    assert not event.keys() & {"body", "cookies", "queryStringParameters", "pathParameters", "stageVariables"}


@pytest.mark.rule(LAMBDA)
def test_the_event_in_format_1(api):
    """Format 1.0: single and multi value headers and parameters, and null where there are none."""
    event = api(ECHO, "GET /a/{id}", version="1.0")("GET", "/a/7?tag=x&tag=y").json()
    assert (event["version"], event["resource"], event["httpMethod"], event["path"]) == ("1.0", "/a/{id}", "GET", "/a/7")
    assert event["queryStringParameters"] == {"tag": "y"}
    assert event["multiValueQueryStringParameters"] == {"tag": ["x", "y"]}
    assert (event["pathParameters"], event["stageVariables"], event["body"]) == ({"id": "7"}, None, None)


@pytest.mark.rule(LAMBDA)
@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("application/json", b'{"a": 1}', ('{"a": 1}', False)),
        ("text/csv", b"a,b\n", ("a,b\n", False)),
        ("application/octet-stream", b"\x00\xff", (base64.b64encode(b"\x00\xff").decode(), True)),
        ("application/x-www-form-urlencoded", b"a=1", (base64.b64encode(b"a=1").decode(), True)),
    ],
)
def test_bodies_that_are_no_text_are_in_base64(api, kind, body, told):
    """A binary body is handed over in base64, and isBase64Encoded says so."""
    event = api()("POST", "/", body=body, headers={"Content-Type": kind}).json()
    assert (event["body"], event["isBase64Encoded"]) == told


@pytest.mark.rule(LAMBDA)
@pytest.mark.parametrize(
    ("result", "status", "kind", "body"),
    [
        ("{'statusCode': 201, 'headers': {'X-A': 'b'}, 'body': 'made'}", 201, "text/plain", b"made"),
        ("{'message': 'hello'}", 200, "application/json", b'{"message": "hello"}'),
        ("'plain'", 200, "application/json", b"plain"),
        ("[1, 2]", 200, "application/json", b"[1, 2]"),
        ("{'statusCode': 200, 'body': 'AP8=', 'isBase64Encoded': True}", 200, "text/plain", b"\x00\xff"),
        ("{'statusCode': 204}", 204, "text/plain", b""),
    ],
)
def test_answers_of_a_function_in_format_2(api, result, status, kind, body):
    """With a statusCode the answer is as the function says; without one its result is the body of a 200."""
    answer = api(f"def handler(event, context):\n    return {result}\n")()
    assert (answer.status, answer.data) == (status, body)
    assert answer.headers["content-type"].startswith(kind)


@pytest.mark.rule(LAMBDA)
def test_cookies_of_an_answer(api):
    """Each of `cookies` is a set-cookie header."""
    answer = api("def handler(event, context):\n    return {'statusCode': 200, 'cookies': ['a=1', 'b=2'], 'body': ''}\n")()
    assert answer.headers.getlist("set-cookie") == ["a=1", "b=2"]


@pytest.mark.rule(LAMBDA)
@pytest.mark.parametrize(
    ("version", "source"),
    [
        ("2.0", "raise ValueError('no')"),
        ("2.0", "return {'statusCode': 'many'}"),
        ("2.0", "return {'statusCode': 200, 'body': {'a': 1}}"),
        ("1.0", "return {'message': 'no status'}"),
        ("1.0", "return 'text'"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_500(api, version, source):
    """An error of the function, or an answer of another form, is 500 Internal Server Error."""
    answer = api(f"def handler(event, context):\n    {source}\n", version=version)()
    assert (answer.status, answer.json()) == (500, {"message": "Internal Server Error"})


@pytest.mark.rule(ROUTES)
@pytest.mark.parametrize(
    ("method", "path", "route", "parameters"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1", None),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("POST", "/pets/dog/2", "ANY /pets/dog/{id}", {"id": "2"}),
        ("GET", "/pets/cat/1/2", "GET /pets/{proxy+}", {"proxy": "cat/1/2"}),
        ("GET", "/pets", "$default", None),
        ("DELETE", "/other", "$default", None),
    ],
)
def test_the_most_specific_route_is_taken(api, method, path, route, parameters):
    """A full match goes before a path variable, that before a greedy one, and $default takes the rest."""
    ask = api(ECHO, "GET /pets/dog/1", "GET /pets/dog/{id}", "ANY /pets/dog/{id}", "GET /pets/{proxy+}", "$default")
    event = ask(method, path).json()
    assert (event["routeKey"], event.get("pathParameters")) == (route, parameters)


@pytest.mark.rule(ROUTES)
def test_a_request_without_a_route_is_not_found(api):
    """No route: 404 Not Found, and the function is not asked."""
    answer = api(ECHO, "GET /a")("POST", "/a", body=b"x")
    assert (answer.status, answer.json()) == (404, {"message": "Not Found"})


@pytest.mark.rule("apigateway/latest/developerguide/http-api-stages.html")
def test_a_named_stage_is_the_first_part_of_the_path(api):
    """The requests of a stage begin with its name, but for those of $default; rawPath has it."""
    ask = api(ECHO, "GET /a", stage="prod")
    event = ask("GET", "/prod/a").json()
    assert (event["rawPath"], event["requestContext"]["stage"]) == ("/prod/a", "prod")
    assert ask("GET", "/a").status == 404


@pytest.mark.rule("apigateway/latest/developerguide/http-api-quotas.html")
def test_a_body_has_10_mb_at_most(api):
    """A larger request is 413 Request Entity Too Large."""
    answer = api()("POST", "/", body=b"x" * (10 * 1024 * 1024 + 1))
    assert (answer.status, answer.json()) == (413, {"message": "Request Entity Too Large"})


@pytest.mark.rule("apigateway/latest/developerguide/http-api-quotas.html")
def test_an_integration_that_takes_too_long_is_a_503(api):
    """After the integration's time-out the answer is 503 Service Unavailable."""
    answer = api("import time\ndef handler(event, context):\n    time.sleep(8)\n", timeout=1000)()
    assert (answer.status, answer.json()) == (503, {"message": "Service Unavailable"})


@pytest.mark.rule("apigateway/latest/developerguide/http-api-throttling.html")
def test_a_stage_throttles(api):
    """What goes beyond burst and rate is 429 Too Many Requests."""
    settings = {"DefaultRouteSettings": {"ThrottlingBurstLimit": 3, "ThrottlingRateLimit": 0.01}}
    ask = api(ECHO, "GET /a", stage_options=settings)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ask("GET", "/a"), range(10)))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 7
    assert {answer.data for answer in answers if answer.status == 429} == {b'{"message": "Too Many Requests"}'}


@pytest.mark.rule(CORS)
def test_the_page_of_an_allowed_origin_may_ask(api):
    """API Gateway answers a preflight request itself, and adds the headers to other answers in the place of the function's."""
    source = "def handler(event, context):\n    return {'statusCode': 200, 'headers': {'access-control-allow-origin': 'own'}, 'body': ''}\n"
    cors = {"AllowOrigins": [PAGE], "AllowMethods": ["GET", "POST"], "AllowHeaders": ["x-a"], "MaxAge": 60}
    ask = api(source, "GET /a", CorsConfiguration=cors)
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    answer = ask("OPTIONS", "/a", headers=asked)
    assert answer.status == 204
    assert answer.headers["access-control-allow-methods"] == "GET,POST"
    assert answer.headers["access-control-max-age"] == "60"
    assert ask("GET", "/a", headers={"Origin": PAGE}).headers["access-control-allow-origin"] == PAGE


def token(**claims):
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "kid": "k"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2lnbmF0dXJl"])


@pytest.mark.rule(JWT)
def test_a_jwt_authorizer(api, clients):
    """A token of another issuer, audience or of a time that is over is 401, one without the scope 403; the claims are in the event."""
    ask = api(ECHO, "GET /open")
    gateway = clients("apigatewayv2")
    authorizer = gateway.create_authorizer(
        ApiId=ask.api_id, AuthorizerType="JWT", Name="jwt", IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": "https://issuer", "Audience": ["me"]},
    )["AuthorizerId"]  # fmt: skip
    integration = gateway.get_integrations(ApiId=ask.api_id)["Items"][0]["IntegrationId"]
    gateway.create_route(
        ApiId=ask.api_id, RouteKey="GET /a", Target=f"integrations/{integration}", AuthorizationType="JWT", AuthorizerId=authorizer,
        AuthorizationScopes=["read"],
    )  # fmt: skip
    good = {"iss": "https://issuer", "aud": "me", "exp": int(time.time()) + 600, "scope": "read write", "sub": "ann"}

    def asked(**claims):
        return ask("GET", "/a", headers={"Authorization": f"Bearer {token(**{**good, **claims})}"})

    assert asked().json()["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == "ann"
    assert [asked(**bad).status for bad in ({"iss": "x"}, {"aud": "x"}, {"exp": 1}, {"scope": "write"})] == [401, 401, 401, 403]
    answer = ask("GET", "/a")
    assert (answer.status, answer.json()) == (401, {"message": "Unauthorized"})


@pytest.mark.rule(AUTHORIZER)
def test_a_lambda_authorizer_with_a_simple_answer(api, clients, functions):
    """isAuthorized decides, its context is in the event, and a request without the identity source is 401."""
    source = """
def handler(event, context):
    return {"isAuthorized": event["headers"]["x-key"] == "good", "context": {"who": event["identitySource"][0]}}
"""
    ask = api(ECHO, "GET /open")
    functions.create("authorizer", source)
    gateway = clients("apigatewayv2")
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:authorizer"
    clients("lambda").add_permission(
        FunctionName="authorizer", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    authorizer = gateway.create_authorizer(
        ApiId=ask.api_id, AuthorizerType="REQUEST", Name="own", IdentitySource=["$request.header.x-key"], EnableSimpleResponses=True,
        AuthorizerPayloadFormatVersion="2.0",
        AuthorizerUri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
    )["AuthorizerId"]  # fmt: skip
    integration = gateway.get_integrations(ApiId=ask.api_id)["Items"][0]["IntegrationId"]
    gateway.create_route(
        ApiId=ask.api_id,
        RouteKey="GET /a",
        Target=f"integrations/{integration}",
        AuthorizationType="CUSTOM",
        AuthorizerId=authorizer,
    )
    granted = ask("GET", "/a", headers={"x-key": "good"})
    assert granted.json()["requestContext"]["authorizer"] == {"lambda": {"who": "good"}}
    refused = ask("GET", "/a", headers={"x-key": "bad"})
    assert (refused.status, refused.json()) == (403, {"message": "Forbidden"})
    assert ask("GET", "/a").status == 401


@pytest.fixture
def service_api(clients, emulator):
    """An HTTP API whose one route, POST /, calls a service."""

    def make(subtype, **parameters):
        gateway = clients("apigatewayv2")
        api = gateway.create_api(Name="api", ProtocolType="HTTP")["ApiId"]
        integration = gateway.create_integration(
            ApiId=api, IntegrationType="AWS_PROXY", IntegrationSubtype=subtype, PayloadFormatVersion="1.0",
            CredentialsArn=f"arn:aws:iam::{clients.account}:role/api", RequestParameters=parameters,
        )["IntegrationId"]  # fmt: skip
        gateway.create_route(ApiId=api, RouteKey="POST /", Target=f"integrations/{integration}")
        gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
        return asking(emulator.endpoint, api)

    trust = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    clients("iam").create_role(RoleName="api", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    clients("iam").put_role_policy(RoleName="api", PolicyName="all", PolicyDocument=json.dumps(allowed))
    return make


@pytest.mark.rule(SERVICES)
def test_a_request_becomes_a_message(clients, service_api):
    """SQS-SendMessage: the message's parameters are taken from the request; the answer is that of SQS."""
    url = clients("sqs").create_queue(QueueName="q")["QueueUrl"]
    answer = service_api("SQS-SendMessage", QueueUrl=url, MessageBody="$request.body")("POST", "/", body=b'{"n": 1}')
    message = clients("sqs").receive_message(QueueUrl=url)["Messages"][0]
    assert (answer.status, answer.json()["MessageId"], message["Body"]) == (200, message["MessageId"], '{"n": 1}')


@pytest.mark.rule(SERVICES)
def test_a_request_becomes_a_record(clients, service_api):
    """Kinesis-PutRecord: a member of the body, or a header, can be a parameter; without one it needs, the request is refused."""
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="s", WaiterConfig={"Delay": 1})
    ask = service_api("Kinesis-PutRecord", StreamName="s", Data="$request.body.data", PartitionKey="$request.header.key")
    assert ask("POST", "/", body=b'{"data": "hello"}', headers={"key": "k"}).json()["ShardId"] == "shardId-000000000000"
    shard = kinesis.get_shard_iterator(StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
    [record] = kinesis.get_records(ShardIterator=shard["ShardIterator"])["Records"]
    assert (record["Data"], record["PartitionKey"]) == (b"hello", "k")
    assert ask("POST", "/", body=b"{}").status == 400


@pytest.mark.rule(SERVICES)
def test_a_request_becomes_an_event(clients, service_api):
    """EventBridge-PutEvents: one entry of detail, type and source."""
    url = clients("sqs").create_queue(QueueName="q")["QueueUrl"]
    clients("events").put_rule(Name="r", EventPattern=json.dumps({"source": ["shop"]}))
    clients("events").put_targets(Rule="r", Targets=[{"Id": "q", "Arn": f"arn:aws:sqs:us-east-1:{clients.account}:q"}])
    ask = service_api("EventBridge-PutEvents", Detail="$request.body", DetailType="order", Source="shop")
    assert ask("POST", "/", body=b'{"n": 1}').json()["FailedEntryCount"] == 0
    message = wait_until(lambda: clients("sqs").receive_message(QueueUrl=url).get("Messages"), "the event", 30)[0]
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"], event["detail"]) == ("shop", "order", {"n": 1})


@pytest.mark.rule("apigateway/latest/developerguide/http-api-develop.html")
def test_an_api_is_made_with_its_target_at_once(clients, functions, emulator):
    """CreateApi with a Target makes a $default route and a $default stage."""
    functions.create("f", ECHO)
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:f"
    clients("lambda").add_permission(
        FunctionName="f", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    made = clients("apigatewayv2").create_api(Name="quick", ProtocolType="HTTP", Target=arn)
    assert asking(emulator.endpoint, made["ApiId"])("GET", "/x").json()["rawPath"] == "/x"


@pytest.mark.rule("serverless-application-model/latest/developerguide/sam-resource-httpapi.html")
def test_a_sam_template_with_an_http_api(clients, emulator):
    """A function with HttpApi events is reached through the API that SAM makes of them."""
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "Runtime": emulator.python_runtime, "Handler": "index.handler", "InlineCode": ECHO,
                    "Events": {
                        "One": {"Type": "HttpApi", "Properties": {"Path": "/orders/{id}", "Method": "post"}},
                        "Rest": {"Type": "HttpApi"},
                    },
                },
            },
        },
        "Outputs": {"Url": {"Value": {"Fn::Sub": "https://${ServerlessHttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/"}}},
    }  # fmt: skip
    cloudformation = clients("cloudformation")
    cloudformation.create_stack(
        StackName="s", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    )

    def ended():
        stack = cloudformation.describe_stacks(StackName="s")["Stacks"][0]
        return not stack["StackStatus"].endswith("_IN_PROGRESS") and stack

    stack = wait_until(ended, "the stack", 90)
    assert stack["StackStatus"] == "CREATE_COMPLETE", cloudformation.describe_stack_events(StackName="s")["StackEvents"]
    url = stack["Outputs"][0]["OutputValue"]
    ask = asking(emulator.endpoint, url.removeprefix("https://").partition(".")[0])
    assert ask("POST", "/orders/7", body=b"x").json()["pathParameters"] == {"id": "7"}
    assert ask("GET", "/else").json()["routeKey"] == "$default"
    cloudformation.delete_stack(StackName="s")
    wait_until(lambda: not clients("apigatewayv2").get_apis()["Items"], "the API to be deleted", 60)
