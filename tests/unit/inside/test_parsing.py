"""Requests with headers and queries, as the patch reads them: in less time, and to the same values as LocalStack's own parser."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from localstack.aws.protocol import parser as parsers
from localstack.aws.spec import load_service
from localstack.http import Request
from werkzeug.datastructures import Headers

from harness.inside.patches import parsing

SERVICE = load_service("s3")
PARSER = parsers.create_parser(SERVICE)
PATH = {"Bucket": "bucket", "Key": "a/key"}
TEXTS = {
    "integer": "7",
    "long": "7",
    "boolean": "true",
    "timestamp": "Wed, 21 Oct 2026 07:28:00 GMT",
    "blob": "YWJj",
    "float": "1.5",
}
INPUTS = {
    name: operation.input_shape
    for name in SERVICE.operation_names
    if (operation := SERVICE.operation_model(name)).input_shape is not None
}
OF_LOCALSTACK = parsers.RestXMLRequestParser._parse_structure


@pytest.fixture(scope="module", autouse=True)
def ours():
    """Yields the parser as patched, and leaves LocalStack's."""
    with pytest.MonkeyPatch.context() as kept:
        kept.setattr(parsers.RestXMLRequestParser, "_parse_structure", OF_LOCALSTACK)
        parsing.xml.apply(parsers)
        yield


def parsed(parse, request, shape, node):
    with pytest.MonkeyPatch.context() as now:
        now.setattr(parsers.RestXMLRequestParser, "_parse_structure", parse)
        try:
            return PARSER._parse_structure(request, shape, node, PATH)
        except parsers.RequestParserError as error:
            return str(error)


def node_of(draw, shape, name, depth=0):
    """Returns an element with some of what a shape may have."""
    node = ET.Element(name)
    match shape.type_name:
        case "structure":
            for member, of in shape.members.items():
                if "location" not in of.serialization and depth < 4 and draw(st.booleans()):
                    node.append(node_of(draw, of, of.serialization.get("name", member), depth + 1))
        case "list":
            for _ in range(draw(st.integers(0, 2))):
                node.append(node_of(draw, shape.member, shape.member.serialization.get("name", "member"), depth + 1))
        case kind:
            node.text = draw(st.sampled_from([TEXTS.get(kind, "text"), "odd <&> text"]))
    return node


@settings(deadline=None)
@given(st.data())
def test_a_request_is_read_as_localstack_reads_it(data):
    name = data.draw(st.sampled_from(sorted(INPUTS)))
    shape = INPUTS[name]
    headers, query = [("Host", "127.0.0.1:4566"), ("x-amz-meta-Own", "1")], []
    for of in shape.members.values():
        location, text = of.serialization.get("location"), data.draw(st.sampled_from([TEXTS.get(of.type_name, "a, b"), ""]))
        if location == "header" and data.draw(st.booleans()):
            headers.append((data.draw(st.sampled_from([str.lower, str.upper]))(of.serialization["name"]), text))
        if location == "querystring" and data.draw(st.booleans()):
            query.append(f"{of.serialization['name']}={text.replace(' ', '')}")
    request = Request("PUT", "/bucket/a/key", query_string="&".join(query), headers=Headers(headers))
    node = node_of(data.draw, shape, "Root")
    expected = parsed(OF_LOCALSTACK, request, shape, node)
    assert parsed(parsers.RestXMLRequestParser._parse_structure, request, shape, node) == expected


def test_headers_that_are_not_there_are_not_asked_for(monkeypatch):
    asked = []
    shape_of = parsers.RequestParser._parse_shape
    monkeypatch.setattr(
        parsers.RequestParser,
        "_parse_shape",
        lambda self, request, shape, *more: asked.append(shape) or shape_of(self, request, shape, *more),
    )
    request = Request("PUT", "/bucket/a/key", headers={"Content-MD5": "abc"})
    read = PARSER._parse_structure(request, INPUTS["PutObject"], ET.Element("Root"), PATH)
    assert (read["ContentMD5"], read["Key"], read["CacheControl"]) == ("abc", "a/key", None)
    assert len(asked) < 8
