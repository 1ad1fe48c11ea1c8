"""What a fault makes of an answer."""

from __future__ import annotations

from localstack.http import Response

from harness.inside.faults.gateway import _replace


def test_an_answer_that_is_replaced_keeps_nothing_of_its_bytes():
    answer = Response('{"Item": {}}', 200, {"x-amz-crc32": "4711", "x-localstack": "true"})
    _replace(answer, Response('{"__type": "InternalServerError"}', 500, {"Content-Type": "application/json"}))
    assert (answer.status_code, answer.get_data()) == (500, b'{"__type": "InternalServerError"}')
    assert answer.headers["Content-Type"] == "application/json"
    assert "x-amz-crc32" not in answer.headers
