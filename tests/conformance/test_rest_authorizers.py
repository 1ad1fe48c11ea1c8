"""REST APIs: Lambda authorizers, tokens of Cognito, and IAM."""

from __future__ import annotations

import base64
import json
import time

import pytest
import urllib3

LAMBDA = "apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html"
POLICY = "apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html"
RESPONSES = "apigateway/latest/developerguide/supported-gateway-response-types.html"
ECHO = "import json\ndef handler(event, context):\n    return {'statusCode': 200, 'body': json.dumps(event)}\n"
# By its token: allowed, denied, or an error of the function.
AUTHORIZER = """
def handler(event, context):
    note(event)
    token = event.get("authorizationToken") or event["headers"]["X-Token"]
    if token == "unauthorized":
        raise Exception("Unauthorized")
    if token == "broken":
        raise Exception("no such thing")
    if token == "nonsense":
        return {"isAuthorized": True}
    resource = event["methodArn"] if token == "this" else "*"
    statement = {"Action": "execute-api:Invoke", "Effect": "Deny" if token == "denied" else "Allow", "Resource": resource}
    if token == "another-api":
        statement["Resource"] = "arn:aws:execute-api:*:*:another/*"
    return {
        "principalId": "user", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"name": "ann", "age": 7, "old": False},
    }
"""


@pytest.fixture
def api(clients, functions, emulator, note, seen):
    """Makes a REST API with /a and /b behind an authorizer, or another authorization; returns what asks it."""

    def make(*, kind="CUSTOM", scopes=(), **options):
        gateway = clients("apigateway")
        functions.create("f", ECHO, Timeout=20)
        api = gateway.create_rest_api(name="api")["id"]
        root = gateway.get_resources(restApiId=api)["items"][0]["id"]
        authorizer = {}
        if kind != "AWS_IAM":
            if kind == "CUSTOM":
                functions.create("authorizer", note + AUTHORIZER)
                arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:authorizer"
                options["authorizerUri"] = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
            made = gateway.create_authorizer(restApiId=api, name="authorizer", **options)
            authorizer = {"authorizerId": made["id"], **({"authorizationScopes": list(scopes)} if scopes else {})}
        for part in ("a", "b"):
            of = gateway.create_resource(restApiId=api, parentId=root, pathPart=part)["id"]
            gateway.put_method(restApiId=api, resourceId=of, httpMethod="GET", authorizationType=kind, **authorizer)
            arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:f"
            gateway.put_integration(
                restApiId=api, resourceId=of, httpMethod="GET", type="AWS_PROXY", integrationHttpMethod="POST",
                uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
            )  # fmt: skip
        for name in ("f", *(["authorizer"] if kind == "CUSTOM" else [])):
            clients("lambda").add_permission(
                FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
            )
        gateway.create_deployment(restApiId=api, stageName="prod")

        def ask(path="/a", **headers):
            url = f"{emulator.endpoint}/_aws/execute-api/{api}/prod{path}"
            return urllib3.request("GET", url, headers=headers, retries=False, timeout=40)

        ask.api_id = api
        return ask

    return make


@pytest.fixture
def by_token(api):
    """An API whose authorizer is asked for every token anew."""
    return api(type="TOKEN", identitySource="method.request.header.Authorization", authorizerResultTtlInSeconds=0)


@pytest.mark.rule(LAMBDA)
def test_a_token_authorizer_is_given_the_token_and_the_method(by_token, clients, seen):
    """The event of a TOKEN authorizer has the token and the ARN of the method; what it says of the caller is in the function's event."""
    answer = by_token(Authorization="good")
    arn = f"arn:aws:execute-api:us-east-1:{clients.account}:{by_token.api_id}/prod/GET/a"
    assert seen() == [{"type": "TOKEN", "methodArn": arn, "authorizationToken": "good"}]
    told = answer.json()["requestContext"]["authorizer"]
    assert (answer.status, told["principalId"], told["name"], told["age"], told["old"]) == (200, "user", "ann", "7", "false")


@pytest.mark.rule(RESPONSES)
@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({}, 401, {"message": "Unauthorized"}),
        ({"Authorization": "unauthorized"}, 401, {"message": "Unauthorized"}),
        ({"Authorization": "denied"}, 403, {"Message": "User is not authorized to access this resource with an explicit deny"}),
        ({"Authorization": "another-api"}, 403, {"Message": "User is not authorized to access this resource"}),
        ({"Authorization": "broken"}, 500, {"message": None}),
        ({"Authorization": "nonsense"}, 500, {"message": None}),
    ],
    ids=["no token", "Unauthorized", "denied", "not allowed", "an error", "no policy"],
)
def test_a_request_that_is_not_authorized(by_token, headers, status, body):
    """Without a token, or where the function fails with Unauthorized, 401; where its policy does not allow the method, 403; else 500."""
    answer = by_token(**headers)
    assert (answer.status, answer.json()) == (status, body)


@pytest.mark.rule(LAMBDA)
def test_a_token_that_does_not_match_is_not_shown_to_the_function(api, seen):
    """A token that does not match the validation expression is refused with 401, and the function is not invoked."""
    source = "method.request.header.Authorization"
    ask = api(type="TOKEN", identitySource=source, identityValidationExpression="go+d", authorizerResultTtlInSeconds=0)
    assert [ask(Authorization=token).status for token in ("bad", "good")] == [401, 200]
    assert [event["authorizationToken"] for event in seen()] == ["good"]


@pytest.mark.rule(LAMBDA)
def test_a_policy_is_kept_for_the_identity(api, seen):
    """The policy for a token is kept, 300 seconds by default, and holds for every method of the API: one for a single method denies the others."""
    ask = api(type="TOKEN", identitySource="method.request.header.Authorization")
    assert [ask(path, Authorization="this").status for path in ("/a", "/a", "/b")] == [200, 200, 403]
    assert len(seen()) == 1
    assert ask("/b", Authorization="all").status == 200


@pytest.mark.rule(LAMBDA)
def test_a_request_authorizer_is_given_the_request(api, seen):
    """The event of a REQUEST authorizer has headers, query and path, but no body."""
    ask = api(type="REQUEST", identitySource="method.request.header.X-Token, method.request.querystring.q")
    assert ask("/a?q=1", **{"X-Token": "good"}).status == 200
    [event] = seen()
    assert (event["type"], event["path"], event["httpMethod"], event["resource"]) == ("REQUEST", "/a", "GET", "/a")
    assert (event["headers"]["X-Token"], event["queryStringParameters"], event["requestContext"]["stage"]) == (
        "good",
        {"q": "1"},
        "prod",
    )
    assert "body" not in event


@pytest.mark.rule(LAMBDA)
def test_a_request_without_an_identity_source_is_refused(api, seen):
    """Where answers are kept, a request without one of the identity sources is refused with 401, and the function is not invoked."""
    ask = api(type="REQUEST", identitySource="method.request.header.X-Token,method.request.querystring.q")
    assert [ask("/a", **{"X-Token": "good"}).status, ask("/a?q=1").status] == [401, 401]
    assert seen() == []


def token(**claims):
    parts = ({"alg": "RS256"}, {"sub": "ann", **claims})
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "sig"])


@pytest.mark.rule("apigateway/latest/developerguide/apigateway-integrate-with-cognito.html")
def test_tokens_of_a_user_pool(api, clients):
    """A request needs a token that is not over; its claims are in the function's event."""
    pool = f"arn:aws:cognito-idp:us-east-1:{clients.account}:userpool/us-east-1_abc"
    ask = api(
        kind="COGNITO_USER_POOLS", type="COGNITO_USER_POOLS", providerARNs=[pool], identitySource="method.request.header.Authorization",
        scopes=["write"],
    )  # fmt: skip
    good = ask(Authorization=token(exp=time.time() + 60, scope="read write"))
    assert good.json()["requestContext"]["authorizer"]["claims"]["sub"] == "ann"
    over = token(exp=time.time() - 60, scope="write")
    refused = [ask(), ask(Authorization="x"), ask(Authorization=over), ask(Authorization=token(exp=time.time() + 60, scope="read"))]
    assert [answer.status for answer in refused] == [401] * 4


@pytest.mark.rule("apigateway/latest/developerguide/permissions.html")
def test_a_method_with_iam_needs_a_signature(api):
    """A method with AWS_IAM refuses a request without a signature: 403 Missing Authentication Token."""
    ask = api(kind="AWS_IAM")
    answer = ask()
    assert (answer.status, answer.json()) == (403, {"message": "Missing Authentication Token"})
    signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=0"
    assert ask(Authorization=signed).status == 200


@pytest.mark.rule("AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-authorizer.html")
def test_an_authorizer_of_a_template(clients, functions, emulator, note, seen):
    """AWS::ApiGateway::Authorizer makes an authorizer that the methods of a template name."""
    functions.create("authorizer", note + AUTHORIZER)
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:authorizer"
    clients("lambda").add_permission(
        FunctionName="authorizer", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    answers = [{"StatusCode": "200"}]
    resources = {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api"}},
        "Authorizer": {
            "Type": "AWS::ApiGateway::Authorizer",
            "Properties": {
                "RestApiId": {"Ref": "Api"}, "Name": "authorizer", "Type": "TOKEN", "AuthorizerUri": uri,
                "IdentitySource": "method.request.header.Authorization", "AuthorizerResultTtlInSeconds": "0",
            },
        },
        "Method": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": {"Ref": "Api"}, "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "HttpMethod": "GET",
                "AuthorizationType": "CUSTOM", "AuthorizerId": {"Ref": "Authorizer"}, "MethodResponses": answers,
                "Integration": {
                    "Type": "MOCK", "RequestTemplates": {"application/json": '{"statusCode": 200}'}, "IntegrationResponses": answers,
                },
            },
        },
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment", "DependsOn": "Method",
            "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "prod"},
        },
    }  # fmt: skip
    template = json.dumps({"Resources": resources, "Outputs": {"Api": {"Value": {"Ref": "Api"}}}})
    stack = clients("cloudformation")
    stack.create_stack(StackName="authorized", TemplateBody=template)
    stack.get_waiter("stack_create_complete").wait(StackName="authorized", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    api_id = stack.describe_stacks(StackName="authorized")["Stacks"][0]["Outputs"][0]["OutputValue"]
    url = f"{emulator.endpoint}/_aws/execute-api/{api_id}/prod/"
    asked = [urllib3.request("GET", url, headers={"Authorization": of}, retries=False) for of in ("good", "denied")]
    assert [answer.status for answer in asked] == [200, 403]
