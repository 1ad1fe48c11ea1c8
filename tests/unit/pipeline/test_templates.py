"""The templates of the sample: what CloudFormation's linter says of them, and what their policies allow."""

from __future__ import annotations

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
    """A wildcard stands at most for the end of a name: of objects below a prefix, tables of a database. What has to be `*` has its reason beside it."""
    text = path.read_text()
    for name, resource in load_template(path)["Resources"].items():
        for statement in statements(resource):
            assert statement["Effect"] == "Allow", name
            for action in listed(statement["Action"]):
                assert "*" not in action, (name, action)
            for allowed in listed(statement.get("Resource", [])):
                assert allowed != "*" or _has_a_reason(text), (name, statement)


def _has_a_reason(text):
    """Whether a comment stands above each resource that is `*`."""
    lines = [line.strip() for line in text.splitlines()]
    places = [place for place, line in enumerate(lines) if line in {'Resource: "*"', '- "*"'}]
    return all(any(line.startswith("#") for line in lines[max(place - 6, 0) : place]) for place in places)
