"""Mistakes of a template that are told before anything is built: each with its line, and nothing that is right."""

from __future__ import annotations

import json
import zipfile

import pytest

from harness.stack.imports import missing
from harness.stack.mistakes import mistakes
from harness.stack.template import read_template
from harness.stack.values import parameter_values

HEAD = "Transform: AWS::Serverless-2016-10-31\nParameters: {Stage: {Default: dev}}\nConditions: {No: !Equals [!Ref Stage, prod]}\nResources:\n"


def told(tmp_path, resources, files=None):
    for name, text in ({"code/app.py": "def handler(event, context): ...\n"} | (files or {})).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    path = tmp_path / "t.yaml"
    path.write_text(HEAD + resources)
    template = read_template(path)
    found = mistakes(template, parameter_values(template.document, {}, "000000000000"))
    return [one.removeprefix(f"{tmp_path}/").replace(str(tmp_path), "") for one in found]


def function(name, handler="app.handler", runtime="python3.12", more=""):
    return f"  {name}:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: code\n      Runtime: {runtime}\n      Handler: {handler}\n{more}"


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        ("app.handler", None),
        ("app.made", None),
        ("app.imported", None),
        ("pack.inner.handler", None),
        ("pack/inner.handler", None),
        ("lies.code.app.handler", None),
        ("app.handel", "/code/app.py does not define handel"),
        ("appp.handler", "/code has no appp.py"),
        ("handler", "expected MODULE.FUNCTION"),
        ("star.handler", None),
        ("broken.handler", None),
    ],
)
def test_a_python_handler_that_is_not_there_is_told(tmp_path, handler, reason):
    files = {
        "code/app.py": "from x import imported\ndef handler(e, c): ...\nmade = handler\n",
        "code/pack/inner.py": "async def handler(e, c): ...\n",
        "code/star.py": "from app import *\n",
        "code/broken.py": "def handler(:\n",
    }
    expected = [] if reason is None else [f"t.yaml:10: Take: handler {handler}: {reason}"]
    assert told(tmp_path, function("Take", handler), files) == expected


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        ("index.handler", None),
        ("lib/module.handler", None),
        ("typed.handler", "/code/typed.ts is TypeScript: Metadata needs BuildMethod: esbuild"),
        ("lib/nowhere.handler", "/code has no lib/nowhere.js"),
        ("index", "expected FILE.EXPORT"),
    ],
)
def test_a_node_handler_that_is_not_there_is_told(tmp_path, handler, reason):
    files = {"code/index.js": "", "code/lib/module.mjs": "", "code/typed.ts": ""}
    expected = [] if reason is None else [f"t.yaml:10: Take: handler {handler}: {reason}"]
    assert told(tmp_path, function("Take", handler, "nodejs20.x"), files) == expected


@pytest.mark.parametrize(
    ("more", "files"),
    [
        ("      Layers: [!Ref Shared]\n", {}),
        ("    Metadata: {BuildMethod: makefile}\n", {}),
        ("    Condition: No\n", {}),
        ("", {"code/requirements.txt": "datadog-lambda\n"}),
    ],
    ids=["a layer", "a build", "not made", "a package"],
)
def test_a_handler_that_may_come_from_elsewhere_is_not_missed(tmp_path, more, files):
    shared = "  Shared: {Type: AWS::Lambda::LayerVersion}\n"
    assert told(tmp_path, function("Take", "elsewhere.handler", more=more) + shared, files) == []


def test_two_functions_with_one_name_are_told_and_one_of_two_conditions_is_not(tmp_path):
    named = "      FunctionName: !Sub take-${Stage}\n"
    both = function("A", more=named) + function("B", more="      FunctionName: take-dev\n")
    assert told(tmp_path, both) == ["t.yaml:18: B: the function name take-dev is that of A too"]
    assert told(tmp_path, function("A", more=named) + function("B", more=named + "    Condition: No\n")) == []


@pytest.mark.parametrize("named", ["!Ref Lak", "!GetAtt Lak.Arn", "!Sub '${Lak.Arn}/x'", "!Sub ['${Lak}', {}]"])
def test_what_is_referred_to_and_is_not_there_is_told_with_the_near_names(tmp_path, named):
    parts = f"  Lake: {{Type: AWS::S3::Bucket}}\n  Q: {{Type: AWS::SQS::Queue, Properties: {{QueueName: {named}}}}}\n"
    assert told(tmp_path, parts) == [
        "t.yaml:6: Q: it refers to Lak, which is neither a resource nor a parameter; did you mean Lake?"
    ]


def test_what_sam_or_aws_makes_may_be_referred_to(tmp_path):
    names = "${TakeRole.Arn} ${AWS::Region} ${ServerlessRestApi} ${ServerlessHttpApi.Stage} ${ServerlessUsagePlan} ${Stage} ${!Own} ${Own}"
    queue = f"  Q: {{Type: AWS::SQS::Queue, Properties: {{QueueName: !Sub ['{names}', {{Own: x}}]}}}}\n"
    assert told(tmp_path, function("Take") + queue) == []


def test_data_that_looks_like_a_reference_and_names_that_are_no_text_are_let_be(tmp_path):
    parts = "  Q: {Type: AWS::SQS::Queue, Properties: {Tags: {Ref: PO-17, Note: x}, QueueName: !Sub ['${Stage}', 3]}}\n  On: {Type: AWS::SQS::Queue}\n"
    assert told(tmp_path, parts) == []


def test_what_a_macro_may_make_is_not_looked_for(tmp_path):
    (tmp_path / "m.yaml").write_text(
        "Transform: [Own]\nResources: {Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Made}}}\n"
    )
    template = read_template(tmp_path / "m.yaml")
    assert mistakes(template, {}) == []


def test_a_circle_is_told_with_all_that_is_in_it(tmp_path):
    circle = (
        "  A: {Type: AWS::SQS::Queue, Properties: {QueueName: !GetAtt B.QueueName}}\n  B: {Type: AWS::SQS::Queue, DependsOn: A}\n"
    )
    assert told(tmp_path, circle) == ["t.yaml:5: A: circular dependency between resources: A, B"]


def test_a_bucket_that_notifies_a_function_with_a_policy_for_it_is_a_circle(tmp_path):
    """As on AWS: the bucket needs the permission, this the function, this its role, and this the bucket."""
    events = "      Events: {Put: {Type: S3, Properties: {Bucket: !Ref Files, Events: s3:ObjectCreated:*}}}\n"
    policy = "      Policies: [S3ReadPolicy: {BucketName: !Ref Files}]\n"
    bucket = "  Files: {Type: AWS::S3::Bucket}\n"
    assert told(tmp_path, function("Take", more=events) + bucket) == []
    assert told(tmp_path, function("Take", more=events + policy) + bucket) == [
        "t.yaml:5: Take: circular dependency between resources: Files, Take"
    ]


def package(tmp_path, files):
    path = tmp_path / f"{abs(hash(json.dumps(files)))}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"app.py": "import json, boto3, botocore.config\nfrom dateutil import parser\n"}, None),
        ({"app.py": "import nowhere\n"}, "app.py imports nowhere, which neither the package nor Lambda's runtime has"),
        ({"app.py": "from lib import one\n", "lib/__init__.py": "", "lib/one.py": "from . import two\n", "lib/two.py": "import nowhere.deep\n"},
         "lib/two.py imports nowhere, which neither the package nor Lambda's runtime has"),
        ({"app.py": "try:\n    import fast\nexcept ImportError:\n    fast = None\n"}, None),
        ({"app.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import types_of\n"}, None),
        ({"app.py": "def handler(e, c):\n    import late\n"}, None),
        ({"app.py": "import some_yaml\n", "some_yaml/__init__.py": "import optional_thing\n",
          "Py_Some-2.0.dist-info/RECORD": "some_yaml/__init__.py,sha256=x,1\nPy_Some-2.0.dist-info/RECORD,,\n"}, None),
        ({"app.py": "import fast\n", "fast.cpython-311-x86_64-linux-gnu.so": ""}, None),
        ({"other.py": ""}, "there is no app.py"),
        ({"app.py": "import (\n"}, None),
    ],
)  # fmt: skip
def test_what_a_handler_imports_and_its_package_lacks_is_told(tmp_path, files, reason):
    assert missing(package(tmp_path, files), "app.handler") == reason


def test_a_module_that_makes_a_package_of_its_directory_is_followed(tmp_path):
    files = {"shop.py": "__path__ = ['.']\n", "orders/take.py": "import nowhere\n"}
    assert "imports nowhere" in missing(package(tmp_path, files), "shop.orders.take.handler")


def test_resources_of_sam_without_its_transform_are_told(tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text("Resources:\n  Table: {Type: AWS::Serverless::SimpleTable}\n  Queue: {Type: AWS::SQS::Queue}\n")
    template = read_template(path)
    said = "2: Table: AWS::Serverless::SimpleTable needs `Transform: AWS::Serverless-2016-10-31`"
    assert mistakes(template, {}) == [f"{path}:{said}"]
    path.write_text(f"Transform: [AWS::Include, AWS::Serverless-2016-10-31]\n{path.read_text()}")
    assert mistakes(read_template(path), {}) == []
