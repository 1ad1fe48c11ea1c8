"""Requests as the patches read them, and answers in JSON as they write them: in less time, and no other than LocalStack's own."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from localstack.aws.protocol import parser as parsers
from localstack.aws.protocol import serializer as serializers
from localstack.aws.spec import load_service
from localstack.http import Request
from werkzeug.datastructures import Headers

from harness.inside.patches import parsing
from tests.unit.inside.shapes import values

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


def test_of_two_things_that_are_wrong_the_same_one_is_told():
    shape = INPUTS["PutObjectRetention"]
    request = Request("PUT", "/bucket/a/key", headers=Headers([("x-amz-bypass-governance-retention", "")]))
    node = ET.fromstring("<Root><Retention><RetainUntilDate>odd</RetainUntilDate></Retention></Root>")
    expected = parsed(OF_LOCALSTACK, request, shape, node)
    assert "cannot be parsed to timestamp" in str(expected)
    assert parsed(parsers.RestXMLRequestParser._parse_structure, request, shape, node) == expected


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


JSON_SERVICES = [load_service(name) for name in ("dynamodb", "kinesis", "logs", "sqs", "stepfunctions")]
JSON_OUTPUTS = {
    (service.service_name, name): (service, operation)
    for service in JSON_SERVICES
    for name in service.operation_names
    if (operation := service.operation_model(name)).output_shape is not None and not operation.has_event_stream_output
}
METHODS = ("_serialize_type_structure", "_serialize_type_list")
OF_LOCALSTACK_IN_JSON = {name: getattr(serializers.JSONResponseSerializer, name) for name in METHODS}


@settings(deadline=None)
@given(st.data())
def test_an_answer_in_json_is_written_as_localstack_writes_it(data):
    service, operation = JSON_OUTPUTS[data.draw(st.sampled_from(sorted(JSON_OUTPUTS)))]
    answer = data.draw(values(operation.output_shape)) | data.draw(st.sampled_from([{}, {"NoSuchMember": 1}]))
    serializer = serializers.create_serializer(service)

    def written(methods):
        with pytest.MonkeyPatch.context() as now:
            for name, method in methods.items():
                now.setattr(serializers.JSONResponseSerializer, name, method)
            return serializer.serialize_to_response(answer, operation, {}, "id").data

    assert written(written_by_ours()) == written(OF_LOCALSTACK_IN_JSON)


def written_by_ours():
    with pytest.MonkeyPatch.context() as kept:
        for name, method in OF_LOCALSTACK_IN_JSON.items():
            kept.setattr(serializers.JSONResponseSerializer, name, method)
        parsing.json_answers.apply(serializers)
        parsing.json_lists.apply(serializers)
        return {name: getattr(serializers.JSONResponseSerializer, name) for name in METHODS}


@pytest.mark.parametrize(
    "results", [[{"ShardId": "s", "SequenceNumber": "1"}], [{"ShardId": "s", "ErrorCode": None}], [None, {}], [{"Other": 1}]]
)
def test_a_list_of_structures_is_written_as_localstack_writes_it(results):
    service = load_service("kinesis")
    operation, serializer = service.operation_model("PutRecords"), serializers.create_serializer(service)
    answers = []
    for methods in (OF_LOCALSTACK_IN_JSON, written_by_ours()):
        with pytest.MonkeyPatch.context() as now:
            for name, method in methods.items():
                now.setattr(serializers.JSONResponseSerializer, name, method)
            answers.append(serializer.serialize_to_response({"Records": results, "FailedRecordCount": 0}, operation, {}, "id").data)
    assert answers[0] == answers[1]


@pytest.mark.parametrize("text", ["YWJj", "YW Jj", "YWJ", "\u00e9", "", "===="])
def test_bytes_in_base64_are_those_that_localstack_reads(text):
    service = load_service("kinesis")
    parser, shape = parsers.create_parser(service), service.operation_model("PutRecord").input_shape
    request = Request("POST", "/", headers={"Content-Type": "application/x-amz-json-1.1"})

    def read(structure):
        with pytest.MonkeyPatch.context() as now:
            now.setattr(parsers.BaseJSONRequestParser, "_parse_structure", structure)
            try:
                return parser._parse_structure(request, shape, {"Data": text, "PartitionKey": "k"})["Data"]
            except parsers.RequestParserError as error:
                return str(error)

    before = parsers.BaseJSONRequestParser._parse_structure
    with pytest.MonkeyPatch.context() as kept:
        for name in ("_parse_structure", "_parse_map"):
            kept.setattr(parsers.BaseJSONRequestParser, name, getattr(parsers.BaseJSONRequestParser, name))
        parsing.json.apply(parsers)
        ours = parsers.BaseJSONRequestParser._parse_structure
    assert read(ours) == read(before)


@pytest.mark.parametrize("service", ["s3", "sqs", "kinesis", "sts"])
@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {"Accept": "*/*"},
        {"Accept": "application/json"},
        {"Accept": "text/html", "Content-Type": "application/x-amz-cbor-1.1"},
        {"Content-Type": "application/x-amz-json-1.0"},
        {"accept": "application/x-amz-cbor-1.1"},
    ],
)
def test_an_answer_has_the_form_that_the_client_accepts(service, headers, monkeypatch):
    headers = headers if headers is None else Headers(headers)
    serializer, find = serializers.create_serializer(load_service(service)), serializers.ResponseSerializer._get_mime_type
    monkeypatch.setattr(serializers.ResponseSerializer, "_get_mime_type", find)
    parsing.accepted.apply(serializers)
    for _ in range(2):
        assert serializer._get_mime_type(headers) == find(serializer, headers)
