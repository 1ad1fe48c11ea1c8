"""The templates of the sample: what CloudFormation's linter says of them, and what their policies allow."""

from __future__ import annotations

import re

import pytest
from cfnlint.api import ManualArgs, lint

from harness.stack.template import load_template
from tests.loads import PIPELINES

TEMPLATES = sorted(PIPELINES.glob("*/template.yaml"))


@pytest.fixture(params=TEMPLATES, ids=lambda path: path.parent.name)
def path(request):
    return request.param


def test_there_is_a_template_of_every_system():
    assert len(TEMPLATES) == len({path.parent for path in PIPELINES.glob("*/functions") if path.parent.name != "files"})


def test_the_linter_has_no_error_and_no_warning(path):
    found = lint(path.read_text(), config=ManualArgs(regions=["us-east-1"]))
    assert [f"{match.linenumber}: {match.rule.id} {match.message}" for match in found] == []


def statements(resource):
    properties = resource.get("Properties", {})
    documents = [
        *properties.get("Policies", []),
        properties.get("PolicyDocument", {}),
        properties.get("AssumeRolePolicyDocument", {}),
    ]
    for document in documents:
        assert isinstance(document, dict), f"a managed policy: {document}"
        yield from document.get("PolicyDocument", document).get("Statement", [])


def listed(value):
    return value if isinstance(value, list) else [value]


def test_each_policy_names_its_actions_and_its_resources(path):
    """A wildcard stands for the end of a resource's name alone: of objects below a prefix, tables of a database. What has to be `*` has its reason
    in a comment above the statement."""
    everything = 0
    for name, resource in load_template(path)["Resources"].items():
        for statement in statements(resource):
            assert statement["Effect"] == "Allow", name
            for action in listed(statement["Action"]):
                assert "*" not in action, (name, action)
            for allowed in listed(statement.get("Resource", [])):
                text = allowed.get("Fn::Sub", "") if isinstance(allowed, dict) else allowed
                everything += text == "*"
                assert text == "*" or re.fullmatch(r"[^*]*([/:]\*)?", text if isinstance(text, str) else text[0]), (name, allowed)
    assert _with_a_reason(path.read_text()) == everything


def _with_a_reason(text):
    """How many resources are `*`, in whatever quotes, in a statement that has a comment above it."""
    statements_ = re.findall(
        r"#[^\n]*\n\s*- Effect: Allow\n(?:(?!\s*- Effect)[^\n]*\n)*?\s*Resource:\s*(?:-\s*)?[\"']?\*[\"']?[ \t]*(?:#[^\n]*)?\n",
        text,
    )
    return len(statements_)
