"""Runtimes of functions: which run on another one here, and which do not run."""

from __future__ import annotations

import pytest

from harness.emulator.emulator import Abilities
from harness.stack.functions import functions
from harness.stack.runtimes import replaced, replacements
from harness.stack.template import read_template
from harness.stack.unsupported import unsupported
from harness.stack.values import parameter_values

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
  Script: {Type: AWS::Serverless::Function, Properties: {Runtime: nodejs18.x}}
  Queue: {Type: AWS::SQS::Queue, Properties: {Runtime: ruby3.3}}
"""
BOTH = Abilities("python3.11", "nodejs20.x", frozenset())
NO_NODE = Abilities("python3.11", None, frozenset())


def read(tmp_path, text=TEMPLATE, **values):
    path = tmp_path / "t.yaml"
    path.write_text(text)
    template = read_template(path)
    return template, parameter_values(template.document, values, "000000000000")


def refused(tmp_path, text=TEMPLATE, abilities=BOTH, *, strict=False, **values):
    found = unsupported(*read(tmp_path, text, **values), abilities, strict=strict)
    assert not any(one.ignorable for one in found)
    return [str(one).removeprefix(f"{tmp_path}/") for one in found]


def test_functions_in_any_python_or_node_run_on_the_one_that_there_is(tmp_path):
    others = {"python3.9": "python3.11", "nodejs18.x": "nodejs20.x"}
    assert replacements(*read(tmp_path), BOTH) == {"python3.8": "python3.11"} | others
    assert replacements(*read(tmp_path, Old="python3.11"), BOTH) == others
    assert replacements(*read(tmp_path), None) == {}
    assert refused(tmp_path) == []


@pytest.mark.parametrize("runtime", ["provided.al2023", "java21", "ruby3.3", ""])
def test_other_runtimes_stay_what_they_are(runtime):
    assert replaced(runtime, BOTH) == runtime


def test_each_function_that_does_not_run_here_is_named_with_its_line(tmp_path):
    text = TEMPLATE.replace("provided.al2023", "java21").replace("Runtime: python3.11", "PackageType: Image")
    runs = "this emulator runs python3.* (on python3.11), nodejs*.x (none here) and provided.*"
    assert refused(tmp_path, text, NO_NODE, Old="python2.7") == [
        f"t.yaml:12: Mine: runtime python2.7: {runs}",
        "t.yaml:13: Plain: PackageType Image: an image needs Docker inside the emulator; use a Zip",
        f"t.yaml:14: Shell: runtime java21: {runs}",
        "t.yaml:16: Script: runtime nodejs18.x: the emulator finds no `node` (18 or later); install Node.js, or use --emulator embedded",
    ]


def test_where_it_is_strict_another_runtime_is_refused(tmp_path):
    names = [line.partition(": runtime")[0].rpartition(" ")[2] for line in refused(tmp_path, strict=True)]
    assert names == ["Common", "Mine", "Script"]


def test_the_code_of_a_function_is_beside_the_template_where_nothing_says_where_it_is(tmp_path):
    text = """Resources:
  Beside: {Type: AWS::Serverless::Function, Properties: {Handler: app.handler}}
  Inline: {Type: AWS::Serverless::Function, Properties: {InlineCode: "def handler(): ..."}}
  Image: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}}
  Plain: {Type: AWS::Lambda::Function, Properties: {Handler: app.handler}}
"""
    found = {function.logical_id: function.properties.get("CodeUri") for function in functions(*read(tmp_path, text))}
    assert found == {"Beside": ".", "Inline": None, "Image": None, "Plain": None}
    there, _ = read(tmp_path, f"Globals: {{Function: {{CodeUri: src}}}}\n{text}")
    assert next(functions(there, {})).properties["CodeUri"] == "src"
