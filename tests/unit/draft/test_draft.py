"""A drafted scenario: which way in it takes, where records may end, and that it loads."""

from __future__ import annotations

import pytest
import yaml

from harness.draft.document import written
from harness.draft.draft import draft
from harness.errors import UsageError
from harness.scenario.loading import load_scenario

HEAD = "Transform: AWS::Serverless-2016-10-31\nParameters: {End: {Type: String, Default: .json}}\nGlobals: {Function: {Runtime: python3.12, CodeUri: code, Handler: app.handler}}\nResources:\n"
TABLE = "  Items: {Type: AWS::Serverless::SimpleTable}\n"
QUEUE = "  Work: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}}}\n  Dead: {Type: AWS::SQS::Queue}\n"


def function(name, events="", env="", policies=""):
    return (
        f"  {name}:\n    Type: AWS::Serverless::Function\n    Properties:\n"
        + (f"      Environment: {{Variables: {{{env}}}}}\n" if env else "")
        + (f"      Policies: [{policies}]\n" if policies else "")
        + (f"      Events: {{{events}}}\n" if events else "")
    )


@pytest.fixture
def drafted(tmp_path):
    def drafted(resources, code="def handler(event, context):\n    return event['body']['id']\n", sample=None, head=HEAD):
        (tmp_path / "code").mkdir(exist_ok=True)
        (tmp_path / "code" / "app.py").write_text(code)
        (tmp_path / "template.yaml").write_text(head + resources)
        made = draft(tmp_path / "template.yaml", sample, "template.yaml", [])
        path = tmp_path / "pipeproof.yaml"
        path.write_text(written(made))
        # What was written is a scenario, and says what the draft says.
        load_scenario(path)
        assert yaml.safe_load(path.read_text()) == made.document
        return made.document

    return drafted


STORE = function("Store", "Q: {Type: SQS, Properties: {Queue: !GetAtt Work.Arn}}", "T: !Ref Items") + QUEUE + TABLE


@pytest.mark.parametrize(
    ("resources", "send"),
    [
        (STORE, {"to": "sqs", "queue_url": "${resources.Work}"}),
        # A queue that a function fills is no way in; the API of that function is.
        (STORE + function("Take", "P: {Type: Api, Properties: {Path: '/o/{id}/{other}', Method: put}}", "Q: !Ref Work"),
         {"to": "api", "url": "https://${resources.ServerlessRestApi}.execute-api.us-east-1.amazonaws.com/Prod", "path": "/o/{id}/{record_id}", "method": "PUT"}),
        # Reading is no way in.
        (STORE + function("Read", "G: {Type: Api, Properties: {Path: /o, Method: get}}"), {"to": "sqs", "queue_url": "${resources.Work}"}),
        (function("Take", "P: {Type: HttpApi, Properties: {Path: /o, Method: POST}}", "T: !Ref Items") + TABLE,
         {"to": "api", "url": "https://${resources.ServerlessHttpApi}.execute-api.us-east-1.amazonaws.com", "path": "/o"}),
        (function("Take", "K: {Type: Kinesis, Properties: {Stream: !GetAtt Line.Arn}}", "T: !Ref Items") + TABLE + "  Line: {Type: AWS::Kinesis::Stream}\n",
         {"to": "kinesis", "stream": "${resources.Line}"}),
        (function("Take", "N: {Type: SNS, Properties: {Topic: !Ref News}}", "T: !Ref Items") + TABLE + "  News: {Type: AWS::SNS::Topic}\n",
         {"to": "sns", "topic_arn": "${resources.News}"}),
        (function("Take", "E: {Type: EventBridgeRule, Properties: {EventBusName: !Ref Bus, Pattern: {source: [shop], detail-type: [{prefix: order}]}}}", "T: !Ref Items")
         + TABLE + "  Bus: {Type: AWS::Events::EventBus, Properties: {Name: b}}\n",
         {"to": "eventbridge", "source": "shop", "detail_type": "order", "bus": "${resources.Bus}"}),
        (function("Take", "S: {Type: S3, Properties: {Bucket: !Ref Files, Events: 's3:ObjectCreated:*', Filter: {S3Key: {Rules: [{Name: prefix, Value: in/}, {Name: suffix, Value: !Ref End}]}}}}",
                  "T: !Ref Items, B: !Ref Files") + TABLE + "  Files: {Type: AWS::S3::Bucket}\n",
         {"to": "s3", "bucket": "${resources.Files}", "key": "in/{record_id}.json"}),
        (function("Take", "E: {Type: EventBridgeRule, Properties: {Pattern: {source: [aws.s3], detail-type: [Object Created], detail: {bucket: {name: [!Ref Files]}, object: {key: [{prefix: in/}]}}}}}",
                  "T: !Ref Items") + TABLE + "  Other: {Type: AWS::S3::Bucket}\n  Files: {Type: AWS::S3::Bucket, Properties: {NotificationConfiguration: {EventBridgeConfiguration: {EventBridgeEnabled: true}}}}\n",
         {"to": "s3", "bucket": "${resources.Files}", "key": "in/{record_id}.json"}),
        ("  Hose: {Type: AWS::KinesisFirehose::DeliveryStream, Properties: {S3DestinationConfiguration: {BucketARN: !GetAtt Lake.Arn}}}\n  Lake: {Type: AWS::S3::Bucket}\n",
         {"to": "firehose", "delivery_stream": "${resources.Hose}", "separator": "\n"}),
        # Nobody's code is in between.
        ("  Pipe: {Type: AWS::Pipes::Pipe, Properties: {Source: !GetAtt From.Arn, Target: !GetAtt To.Arn}}\n  From: {Type: AWS::SQS::Queue}\n  To: {Type: AWS::SQS::Queue}\n",
         {"to": "sqs", "queue_url": "${resources.From}"}),
        ("  News: {Type: AWS::SNS::Topic, Properties: {Subscription: [{Protocol: sqs, Endpoint: !GetAtt To.Arn}]}}\n  To: {Type: AWS::SQS::Queue}\n",
         {"to": "sns", "topic_arn": "${resources.News}"}),
        (("  Role: {Type: AWS::IAM::Role}\n  Api: {Type: AWS::ApiGateway::RestApi}\n  To: {Type: AWS::SQS::Queue}\n"
         "  Post: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, HttpMethod: POST, Integration: {Credentials: !GetAtt Role.Arn, Uri: !Sub 'arn:aws:apigateway:x:sqs:path/1/${To.QueueName}'}}}\n"),
         {"to": "api", "url": "https://${resources.Api}.execute-api.us-east-1.amazonaws.com/Prod", "path": "/"}),
    ],
    ids=["queue", "rest api", "reading", "http api", "kinesis", "sns", "eventbridge", "s3", "objects by eventbridge", "firehose", "pipe", "topic to queue", "api to queue"],
)  # fmt: skip
def test_the_way_in_is_the_one_that_nobody_within_uses(drafted, resources, send):
    assert drafted(resources)["send"] == send


def test_calls_that_aws_would_deny_are_denied(drafted):
    assert drafted(STORE)["iam"] == "enforce"


def test_places_are_where_records_may_end_with_what_it_means_there(drafted):
    more = (
        "  Alerts: {Type: AWS::SNS::Topic}\n  Notices: {Type: AWS::SNS::Topic}\n  Done: {Type: AWS::SQS::Queue}\n  Rejected: {Type: AWS::S3::Bucket}\n"
        "  Out: {Type: AWS::S3::Bucket}\n"
    )
    (probe,) = drafted(STORE + more)["probes"]
    assert probe["kind"] == "anywhere"
    assert probe["places"] == [
        {"queue_url": "${resources.Dead}", "outcome": "dead_lettered"},
        {"table": "${resources.Items}"},
        {"topic_arn": "${resources.Alerts}", "outcome": "alerted"},
        {"topic_arn": "${resources.Notices}", "holds": "some"},
        {"queue_url": "${resources.Done}"},
        {"bucket": "${resources.Rejected}", "outcome": "dead_lettered"},
        {"bucket": "${resources.Out}"},
    ]


NAMED = """  Data: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub "${AWS::StackName}-${AWS::AccountId}"}}
  Take:
    Type: AWS::Serverless::Function
    Properties:
      Policies:
        - Statement:
            - {Effect: Allow, Action: s3:GetObject, Resource: !Sub "arn:aws:s3:::${AWS::StackName}-${AWS::AccountId}/in/*"}
            - {Effect: Allow, Action: s3:ListBucket, Resource: !Sub "arn:${AWS::Partition}:s3:::${AWS::StackName}-${AWS::AccountId}"}
            - Effect: Allow
              Action: [s3:PutObject, s3:GetObject]
              Resource:
                - !Sub "arn:${AWS::Partition}:s3:::${AWS::StackName}-${AWS::AccountId}/done/*"
                - !Sub "arn:aws:s3:::${AWS::StackName}-${AWS::AccountId}/dead-letters/*"
                - !Sub "${Other.Arn}/%s"
      Events: {S: {Type: S3, Properties: {Bucket: !Ref Data, Events: "s3:ObjectCreated:*"}}}
  Other: {Type: AWS::S3::Bucket}
"""


def test_what_policies_let_a_pipeline_write_is_a_place_also_in_the_bucket_that_it_reads(drafted):
    data, other = {"bucket": "${resources.Data}"}, {"bucket": "${resources.Other}"}
    given_up = {"prefix": "dead-letters/", "outcome": "dead_lettered"}
    (probe,) = drafted(NAMED % "work/*")["probes"]
    assert probe["places"] == [data | given_up, data | {"prefix": "done/"}, other]
    (probe,) = drafted((NAMED % "work/*").replace("/done/*", "/staging/*").replace("/dead-letters/*", "/chunks/*"))["probes"]
    assert probe["places"] == [data, other]
    (probe,) = drafted(NAMED % "*")["probes"]
    assert probe["places"][-1] == other


def test_the_key_of_a_table_tells_records_apart_where_nothing_else_does(drafted):
    table = """  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: readAt, AttributeType: S}, {AttributeName: sensor, AttributeType: S}]
      KeySchema: [{AttributeName: sensor, KeyType: HASH}, {AttributeName: readAt, KeyType: RANGE}]
"""
    silent = "def handler(event, context):\n    pass\n"
    take = function("Store", "Q: {Type: SQS, Properties: {Queue: !GetAtt Work.Arn}}", "T: !Ref Items") + QUEUE + table
    source = drafted(take, code=silent)["source"]
    assert (source["id"], {name: one["type"] for name, one in source["fields"].items()}) == (
        "sensor",
        {"sensor": "uuid", "readAt": "datetime"},
    )
    read = "def handler(event, context):\n    order = loads(event['body'])\n    return order['sensor'], order['name'], event['source']\n"
    source = drafted(take, code=read)["source"]
    assert (source["id"], list(source["fields"])) == ("sensor", ["sensor", "name"])
    named = read.replace("order['name']", "order['scanId']")
    assert drafted(take, code=named)["source"]["id"] == "scanId", "half of a key is no name where there is a better one"


LOOKS_UP = function(
    "Take", "S: {Type: S3, Properties: {Bucket: !Ref Files, Events: 's3:ObjectCreated:*'}}", "T: !Ref Items, L: !Ref Prices",
    "DynamoDBReadPolicy: {TableName: !Ref Prices}, DynamoDBWritePolicy: {TableName: !Ref Items}",
).replace("Policies: [", "Policies: [{").replace("Prices}, D", "Prices}}, {D").replace("Items}]", "Items}}]")  # fmt: skip
PRICES = "  Prices: {Type: AWS::DynamoDB::Table, Properties: {AttributeDefinitions: [{AttributeName: sku, AttributeType: S}], KeySchema: [{AttributeName: sku, KeyType: HASH}]}}\n"
READS = """
NAMES = ("currency", "unit_price")
def handler(event, context):
    body = load(event)
    item = table.get_item(Key={"sku": body["sku"]})["Item"]
    return body["order_id"], item["title"], [item[name] for name in NAMES]
"""


def test_a_table_that_is_only_read_has_what_is_looked_up_there_and_is_no_place(drafted):
    document = drafted(LOOKS_UP + TABLE + PRICES + "  Files: {Type: AWS::S3::Bucket}\n", READS)
    source = document["source"]
    assert (source["id"], source["fields"]["sku"], source["guessed"]) == ("order_id", {"type": "lookup"}, True)
    assert source["lookup"]["key"] == "sku"
    assert list(source["lookup"]["fields"]) == ["sku", "title", "currency", "unit_price"]
    assert document["lookup"] == {"table": "${resources.Prices}"}
    assert document["probes"][0]["places"] == [{"table": "${resources.Items}"}]
    # The key of the table is the record's own.
    each = drafted(LOOKS_UP + PRICES + TABLE + "  Files: {Type: AWS::S3::Bucket}\n", READS.replace('body["order_id"], ', ""))
    assert each["source"]["lookup"] | {"fields": None} == {"records": "each", "key": "sku", "fields": None}
    # One that somebody writes is a place, and nothing is put there.
    written_too = LOOKS_UP.replace("DynamoDBReadPolicy", "DynamoDBCrudPolicy")
    both = drafted(written_too + TABLE + PRICES + "  Files: {Type: AWS::S3::Bucket}\n", READS)
    assert "lookup" not in both
    assert {"table": "${resources.Prices}"} in both["probes"][0]["places"]


def test_what_a_query_leaves_out_is_filtered(drafted):
    takes = function(
        "Take", "S: {Type: S3, Properties: {Bucket: !Ref Files, Events: 's3:ObjectCreated:*'}}", "T: !Ref Items, Q: !Ref Query"
    )
    head = HEAD.replace(
        "Parameters: {", "Parameters: {Query: {Type: String, Default: SELECT * FROM s3object s WHERE s.kind = 'sale'}, "
    )
    code = "def handler(event, context):\n    return event['body']['id'], body['kind']\n"
    document = drafted(takes + TABLE + "  Files: {Type: AWS::S3::Bucket}\n", code, head=head)
    assert document["source"]["filtered"] == "{{ not (kind == 'sale') }}"
    other = drafted(takes + TABLE + "  Files: {Type: AWS::S3::Bucket}\n", code, head=head.replace("s.kind = ", "LOWER(s.kind) = "))
    assert "filtered" not in other["source"]


def test_records_have_what_the_filter_in_front_of_the_function_asks_for(drafted, tmp_path):
    take = function(
        "Take",
        'Q: {Type: SQS, Properties: {Queue: !GetAtt Work.Arn, FilterCriteria: {Filters: [{Pattern: \'{"body": {"kind": ["new"]}}\'}]}}}',
        "T: !Ref Items",
    )
    fields = drafted(take + QUEUE + TABLE)["source"]["fields"]
    assert fields == {"id": {"type": "uuid"}, "kind": {"type": "choice", "of": ["new"]}}
    sample = tmp_path / "orders.csv"
    sample.write_text("id,kind\nA-1,new\nB-2,old\n")
    assert drafted(take + QUEUE + TABLE, sample=sample)["source"]["fields"]["kind"] == {"type": "choice", "of": ["new"]}
    of_id = take.replace('{\\"kind\\": [\\"new\\"]}', '{\\"id\\": [{\\"prefix\\": \\"ORD-\\"}]}').replace(
        '{"kind": ["new"]}', '{"id": [{"prefix": "ORD-"}]}'
    )
    assert drafted(of_id + QUEUE + TABLE)["source"]["fields"] == {"id": {"type": "uuid", "prefix": "ORD-"}}


SENDS = "'arn:aws:states:::sqs:sendMessage.waitForTaskToken', Parameters: {MessageBody: {TaskToken.$: $$.Task.Token}}"
CALLS = "'arn:aws:states:::lambda:invoke.waitForTaskToken', Parameters: {Payload: {token.$: $$.Task.Token}}"


@pytest.mark.parametrize(
    ("state", "code", "answer"),
    [
        (CALLS, "publish({'approve': yes, 'reject': no})", {"links": {"approve": "approve", "reject": "reject"}}),
        (CALLS, "publish({'approve-url': yes, 'reject': no})", {"links": {"approve": '"approve-url"', "reject": "reject"}}),
        (CALLS, "publish({'myToken': token, 'NextToken': next})", {"token": "myToken"}),
        (SENDS, "publish({'myToken': token})", {"token": "TaskToken"}),
        (CALLS, "publish({})", {"token": "token"}),
    ],
)
def test_who_waits_for_an_answer_gets_one(drafted, state, code, answer):
    machine = (
        f"  Flow: {{Type: AWS::Serverless::StateMachine, Properties: {{Definition: {{States: {{Ask: {{Resource: {state}}}}}}}}}}}\n"
    )
    queue = "  ApprovalQueue: {Type: AWS::SQS::Queue}\n"
    document = drafted(STORE + machine + queue, f"def handler(event, context):\n    {code}\n")
    assert document["actors"] == [{"kind": "approve", "queue_url": "${resources.ApprovalQueue}", **answer}]
    assert {"queue_url": "${resources.ApprovalQueue}"} not in document["probes"][0]["places"]
    assert "actors" not in drafted(STORE + queue)
    # With two such queues the draft has no actor. A queue in which records end is not read by one.
    assert "actors" not in drafted(STORE + machine + queue + queue.replace("ApprovalQueue", "ManualQueue"))
    assert "actors" not in drafted(STORE + machine + queue.replace("ApprovalQueue", "ApprovedOrders"))


@pytest.mark.parametrize(
    "resources",
    [
        STORE
        + "  T: {Type: AWS::DynamoDB::Table, Properties: {AttributeDefinitions: [{AttributeName: !Ref End, AttributeType: S}], KeySchema: [{AttributeName: !Ref End, KeyType: HASH}]}}\n",
        STORE
        + "  T: {Type: AWS::DynamoDB::Table, Properties: {KeySchema: !If [Some, [{AttributeName: id}], !Ref AWS::NoValue]}}\n",
        STORE
        + "  B: {Type: AWS::S3::Bucket, Properties: {NotificationConfiguration: {LambdaConfigurations: !If [Some, [{Function: !GetAtt Store.Arn}], !Ref AWS::NoValue]}}}\n",
        STORE + "  R: {Type: AWS::Events::Rule, Properties: {EventPattern: {source: null}, Targets: [{Arn: !GetAtt Store.Arn}]}}\n",
        STORE.replace("Queue: !GetAtt Work.Arn", "Queue: !GetAtt Work.Arn, FilterCriteria: [5]"),
        STORE.replace("Queue: !GetAtt Work.Arn", "Queue: !GetAtt Work.Arn, FilterCriteria: null"),
    ],
)
def test_odd_templates_are_drafted_all_the_same(drafted, resources):
    assert drafted(resources)["send"]["to"] == "sqs"


def test_what_cannot_be_read_at_all_is_told_by_name(drafted):
    with pytest.raises(UsageError, match=r"template.yaml: no draft can be made of it \(AttributeError"):
        drafted(STORE + "  P: {Type: AWS::Serverless::SimpleTable, Properties: {PrimaryKey: id}}\n")


def test_a_resource_whose_condition_is_false_is_no_place(drafted):
    head = HEAD.replace("Resources:", "Conditions: {Some: !Equals [!Ref End, x]}\nResources:")
    document = drafted(STORE + "  Other: {Type: AWS::SQS::Queue, Condition: Some}\n", head=head)
    assert {"queue_url": "${resources.Other}"} not in document["probes"][0]["places"]


def test_a_queue_that_is_the_only_store_is_no_place(drafted):
    with pytest.raises(UsageError, match="found no bucket, table, queue or topic"):
        drafted(function("Store", "Q: {Type: SQS, Properties: {Queue: !GetAtt Work.Arn}}") + "  Work: {Type: AWS::SQS::Queue}\n")


def test_a_queue_that_takes_long_to_give_up_is_waited_for(drafted):
    assert "drain_timeout_s" not in drafted(STORE)
    slow = STORE.replace("{RedrivePolicy:", "{VisibilityTimeout: 60, RedrivePolicy:").replace(
        "maxReceiveCount: 2", "maxReceiveCount: !Ref Most"
    )
    head = HEAD.replace("Parameters: {", "Parameters: {Most: {Type: Number, Default: 3}, ")
    assert drafted(slow, head=head)["drain_timeout_s"] == 240


def test_fields_without_a_sample_are_guesses_and_those_of_a_sample_are_not(drafted, tmp_path):
    assert drafted(STORE)["source"]["guessed"] is True
    (tmp_path / "sample.json").write_text('[{"id": "a", "n": 1}]')
    assert "guessed" not in drafted(STORE, sample=tmp_path / "sample.json")["source"]


def test_a_streams_failure_queue_is_read_by_the_ranges_that_it_names(drafted):
    stream = function(
        "Take", "K: {Type: Kinesis, Properties: {Stream: !GetAtt Line.Arn, DestinationConfig: {OnFailure: {Destination: !GetAtt Lost.Arn}}}}", "T: !Ref Items"
    )  # fmt: skip
    probes = drafted(stream + TABLE + "  Line: {Type: AWS::Kinesis::Stream}\n  Lost: {Type: AWS::SQS::Queue}\n")["probes"]
    assert probes[1:] == [{"kind": "failed_batches", "queue_url": "${resources.Lost}"}]


def test_an_api_key_and_a_signature_are_given_where_the_api_wants_them(drafted):
    post = "P: {Type: Api, Properties: {Path: /o, Method: post, Auth: {%s}}}"
    take = function("Take", post % "ApiKeyRequired: true", "T: !Ref Items") + TABLE
    assert drafted(take)["send"]["api_key"] == "${resources.ServerlessRestApiApiKey}"
    assert drafted(take + "  Key: {Type: AWS::ApiGateway::ApiKey}\n")["send"]["api_key"] == "${resources.Key}"
    assert drafted(function("Take", post % "Authorizer: AWS_IAM", "T: !Ref Items") + TABLE)["send"]["sign"] is True


def test_nothing_is_promised_but_that_each_record_arrives(drafted):
    source = drafted(STORE)["source"]
    assert (source["id"], source["drop"], source["vary"]) == ("id", list(source["fields"]), False)


def test_a_parameter_without_a_default_gets_a_guess_and_says_so(drafted):
    head = HEAD.replace(
        "Resources:\n",
        "Parameters: {Stage: {Type: String, AllowedValues: [dev, prod]}, Size: {Type: Number, MinValue: 3}, Mail: {Type: String}}\nResources:\n",
    )
    assert drafted(STORE, head=head)["stack"]["parameters"] == {"Stage": "dev", "Size": "3", "Mail": "somebody@example.org"}


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        (
            function("Tick", "T: {Type: Schedule, Properties: {Schedule: rate(1 hour)}}") + TABLE,
            "found no way in: the events of the template are schedule",
        ),
        (TABLE, "found no way in: no resource of the template has an event"),
        (function("Take", "P: {Type: Api, Properties: {Path: /o, Method: post}}"), "found no bucket, table, queue or topic"),
    ],
)
def test_a_template_without_a_way_in_or_a_place_is_told(drafted, resources, said):
    with pytest.raises(UsageError, match=said):
        drafted(resources)
