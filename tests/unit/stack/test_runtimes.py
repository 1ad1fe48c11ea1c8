"""Runtimes of functions: which run on another one here, and which do not run."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.stack.runtimes import replaced
from harness.stack.template import read_template

TEMPLATE = """Globals:
  Function:
    Runtime: python3.9
Parameters:
  Old: {Type: String, Default: python3.8}
Resources:
  Common: {Type: AWS::Serverless::Function}
  Mine:
    Type: AWS::Serverless::Function
    Properties:
      Handler: a.b
      Runtime: !Ref Old
  Plain: {Type: AWS::Lambda::Function, Properties: {Runtime: python3.11}}
  Shell: {Type: AWS::Serverless::Function, Properties: {Runtime: provided.al2023}}
  Mapped: {Type: AWS::Serverless::Function, Properties: {Runtime: !FindInMap [A, B, C]}}
  Queue: {Type: AWS::SQS::Queue, Properties: {Runtime: ruby3.3}}
"""


def look(tmp_path, text=TEMPLATE, *, strict=False, **values):
    path = tmp_path / "t.yaml"
    path.write_text(text)
    node, template = read_template(path)
    return replaced(path, template, node, {"Old": "python3.8"} | values, "python3.11", strict=strict)


def test_functions_in_any_python_run_on_the_one_that_there_is(tmp_path):
    assert look(tmp_path) == {"python3.8": "python3.11", "python3.9": "python3.11"}
    assert look(tmp_path, Old="python3.11") == {"python3.9": "python3.11"}


def test_each_function_that_does_not_run_here_is_named_with_its_line(tmp_path):
    text = TEMPLATE.replace("provided.al2023", "java21").replace("Runtime: python3.11", "PackageType: Image")
    with pytest.raises(UsageError) as refused:
        look(tmp_path, text, Old="python2.7")
    assert [line.removeprefix(f"{tmp_path}/").partition(":  ")[0] for line in str(refused.value).splitlines()] == [
        "t.yaml:12: Mine: runtime python2.7: this emulator runs python3.* (on python3.11) and provided.*",
        "t.yaml:13: Plain: PackageType Image: an image needs Docker inside the emulator; use a Zip",
        "t.yaml:14: Shell: runtime java21: this emulator runs python3.* (on python3.11) and provided.*",
    ]


def test_where_it_is_strict_another_python_is_refused(tmp_path):
    with pytest.raises(UsageError) as refused:
        look(tmp_path, strict=True)
    assert [line.partition(": runtime")[0].rpartition(" ")[2] for line in str(refused.value).splitlines()] == ["Common", "Mine"]
