"""What a stack finds in place: `setup` of a scenario. And what `init` and `check` say on the command line."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.e2e.commands import leftovers, pipeproof

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Limit: {Type: "AWS::SSM::Parameter::Value<String>", Default: /shop/limit}
Resources:
  Orders: {Type: AWS::SQS::Queue}
  Stored: {Type: AWS::Serverless::SimpleTable}
  Products:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: sku, AttributeType: S}]
      KeySchema: [{AttributeName: sku, KeyType: HASH}]
  Rules: {Type: AWS::S3::Bucket}
  Price:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Handler: app.handler
      Runtime: python3.12
      Environment:
        Variables:
          STORED: !Ref Stored
          PRODUCTS: !Ref Products
          RULES: !Ref Rules
          LIMIT: !Ref Limit
          TOKEN: "{{resolve:secretsmanager:shop:SecretString:token}}"
      Policies:
        - DynamoDBCrudPolicy: {TableName: !Ref Stored}
        - DynamoDBReadPolicy: {TableName: !Ref Products}
        - S3ReadPolicy: {BucketName: !Ref Rules}
      Events: {Q: {Type: SQS, Properties: {Queue: !GetAtt Orders.Arn}}}
"""
CODE = """
import json, os
import boto3

db, s3, ses = boto3.resource("dynamodb"), boto3.client("s3"), boto3.client("ses")

def handler(event, context):
    rules = json.loads(s3.get_object(Bucket=os.environ["RULES"], Key="rules/vat.json")["Body"].read())
    assert os.environ["TOKEN"] == "s3cret" and os.environ["LIMIT"] == "50"
    ses.send_email(Source="shop@example.org", Destination={"ToAddresses": ["a@example.org"]},
                   Message={"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "b"}}})
    for record in event["Records"]:
        order = json.loads(record["body"])
        product = db.Table(os.environ["PRODUCTS"]).get_item(Key={"sku": order["sku"]})["Item"]
        db.Table(os.environ["STORED"]).put_item(
            Item={"id": order["id"], "price": product["price"], "name": product["name"], "vat": rules["vat"]})
"""
SCENARIO = {
    "description": "Orders need their products.",
    "stack": {"template": "template.yaml"},
    "setup": {
        "parameters": {"/shop/limit": "50"},
        "secrets": {"shop": {"file": "secret.json"}},
        "identities": ["shop@example.org", "example.org"],
        "items": [
            {"table": "${resources.Products}", "items": [{"sku": "table", "price": 249.5, "name": "Table"}]},
            {"table": "${resources.Products}", "file": "products.csv"},
        ],
        "objects": [{"bucket": "${resources.Rules}", "key": "rules/vat.json", "content": '{"vat": 19}'}],
    },
    "source": {
        "kind": "synthetic", "records": 12, "id": "id", "drop": ["sku"],
        "fields": {"id": {"type": "uuid"}, "sku": {"type": "choice", "of": ["table", "chair"]}},
        "promise": {"vat": "19"},
    },
    "send": {"to": "sqs", "queue_url": "${resources.Orders}"},
    "probes": [{"kind": "dynamodb", "table": "${resources.Stored}", "id": "id"}],
}  # fmt: skip


@pytest.fixture
def place(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(CODE)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "secret.json").write_text('{"token": "s3cret"}')
    (tmp_path / "products.csv").write_text("sku,price,name\nchair,59.90,Stühle\n")
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(SCENARIO))
    return tmp_path


def changed(place, **setup):
    (place / "shop.yaml").write_text(yaml.safe_dump({**SCENARIO, "setup": {**SCENARIO["setup"], **setup}}))


def test_a_stack_with_a_table_to_look_up_needs_no_code(place, run):
    code, output, result = run(place, "run", "shop.yaml")
    assert code == 0, output
    assert result["outcome"]["stored"] == 12


def test_what_is_put_in_place_is_no_evidence(place, run):
    """An item with the id of a record, put by the setup itself."""
    document = {
        **SCENARIO,
        "source": {
            **SCENARIO["source"],
            "fields": {"id": {"type": "choice", "of": ["one"]}, "sku": {"type": "choice", "of": ["none"]}},
            "records": 1,
        },
    }
    document["setup"] = {**SCENARIO["setup"], "items": [{"table": "${resources.Stored}", "items": [{"id": "one", "vat": 19}]}]}
    (place / "shop.yaml").write_text(yaml.safe_dump({**document, "drain_timeout_s": 2}))
    code, output, result = run(place, "run", "shop.yaml")
    assert code != 0, output
    assert result["outcome"]["stored"] in {0, None}


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        ({"items": [{"table": "${resources.Nowhere}", "items": [{"sku": "x"}]}]}, r"shop.yaml:\d+: setup.items.0.table: .*resources.Nowhere.* is not known"),
        ({"items": [{"table": "x"}]}, r"shop.yaml:\d+: setup.items.0: expected either items or file"),
        ({"objects": [{"bucket": "b", "key": "k"}]}, r"shop.yaml:\d+: setup.objects.0: expected either content or file"),
        ({"items": [{"table": "${resources.Products}", "items": [{"nosku": "x"}]}]}, r"setup.items.0: .*(sku|key)"),
        ({"items": [{"table": "${resources.Products}", "file": "nowhere.csv"}]}, r"setup.items.0.file .*nowhere.csv: No such file"),
        ({"items": [{"table": "${resources.Products}", "file": "secret.json"}]}, r"setup.items.0: .*(sku|key)"),
        ({"objects": [{"bucket": "${resources.Rules}", "key": "k", "file": "nowhere"}]}, r"setup.objects.0.file: .*nowhere: No such file"),
    ],
)  # fmt: skip
def test_a_setup_that_cannot_be_made_is_told_before_the_load(place, run, setup, said):
    changed(place, **setup)
    code, output, _ = run(place, "run", "shop.yaml")
    assert code == 64, output
    assert re.search(said, output.replace("\n", " ")), output
    assert "Traceback" not in output


def test_check_says_what_will_run_and_what_will_not(place):
    code, output, _ = pipeproof(place, "check", "shop.yaml")
    assert code == 0, output
    assert "the load has 12 records" in output
    assert "shop will run" in output
    (place / "code" / "app.py").write_text("import no_such_thing\n" + CODE)
    code, output, _ = pipeproof(place, "check", "shop.yaml")
    assert code == 64, output
    assert "app.py imports no_such_thing" in output
    (place / "template.yaml").write_text(TEMPLATE + "  Pool: {Type: AWS::Cognito::UserPool}\n")
    code, output, _ = pipeproof(place, "check", "shop.yaml")
    assert code == 64, output
    assert re.search(r"template.yaml:\d+: Pool: AWS::Cognito::UserPool", output)
    assert leftovers(place) == []


def test_check_tells_attributes_that_a_resource_lacks_and_faults_beyond_the_load(place):
    late = [{"kind": "record", "malform": "late", "records": records} for records in ("11", "12-20")]
    document = {
        **SCENARIO,
        "probes": [{"kind": "dynamodb", "table": "${resources.Products.TabelName}", "id": "id"}],
        "faults": late,
    }
    (place / "shop.yaml").write_text(yaml.safe_dump(document))
    code, output, _ = pipeproof(place, "check", "shop.yaml")
    assert code == 64, output
    output = re.sub(r"\s+", " ", output)
    assert re.search(
        r"shop\.yaml:\d+: probes\.0\.table: \$\{resources\.Products\.TabelName\} is not known; there is resources\.Products\.TableName",
        output,
    )
    assert re.search(r"shop\.yaml:\d+: faults\.1\.records: 12-20 meets no record of the load: it has 12, numbered from 0", output)
    assert "faults.0" not in output


def test_init_writes_a_scenario_once_and_says_what_will_not_run(place):
    (place / "template.yaml").write_text(TEMPLATE + "  Pool: {Type: AWS::Cognito::UserPool}\n")
    code, output, _ = pipeproof(place, "init", "template.yaml")
    assert code == 0, output
    assert "Pool: AWS::Cognito::UserPool" in output
    text = (place / "pipeproof.yaml").read_text()
    assert "# WILL NOT RUN: " in text
    code, output, _ = pipeproof(place, "init", "template.yaml")
    assert code == 64, output
    assert "--force" in output
    assert (place / "pipeproof.yaml").read_text() == text
    code, output, _ = pipeproof(place, "init", "template.yaml", "--sample", "code/app.py", "--force")
    assert code == 64, output
    assert "is neither JSON nor JSON lines" in output


def test_a_run_that_is_refused_after_it_has_begun_keeps_its_directory(place, run):
    (place / "template.yaml").write_text(TEMPLATE + "  Pool: {Type: AWS::Cognito::UserPool}\n")
    code, output, _ = run(place, "run", "shop.yaml")
    assert code == 64, output
    assert "AWS::Cognito::UserPool" in (place / "runs" / "latest" / "refused.txt").read_text()
    code, output, result = run(place, "run", "shop.yaml", "--ignore-unsupported")
    assert code == 2, output
    assert result["outcome"]["stored"] == 12
    assert "Pool: AWS::Cognito::UserPool" in result["emulator"]["ignored"][0]
    assert "Pool: AWS::Cognito::UserPool" in result["reasons"][0]
