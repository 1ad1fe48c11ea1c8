"""The transforms of the bronze layer and of the purchases: total, and they keep what they take."""

from __future__ import annotations

import base64
import json
import os
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from pipeline.bronze.transforms import Dropped, Failed, Row, transform
from pipeline.files.rows import lines, rows
from pipeline.purchases.transforms import COLUMNS, results, sort_out, sort_out_json

with mock.patch.dict(os.environ, {"POWERTOOLS_LOG_LEVEL": "CRITICAL", "AWS_LAMBDA_FUNCTION_NAME": "convert"}):
    from pipeline.bronze.functions import convert

EVENTS = st.fixed_dictionaries(
    {
        "id": st.text(max_size=5) | st.integers(),
        "kind": st.sampled_from(["page_view", "signup", "heartbeat", "other"]),
        "user": st.text(max_size=5),
        "at": st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()) | st.text(max_size=8) | st.integers(),
    },
    optional={"more": st.text() | st.lists(st.integers(), max_size=2)},
).map(lambda event: json.dumps(event).encode())
PAYLOADS = EVENTS | st.binary(max_size=60)


@given(PAYLOADS)
def test_an_event_is_a_row_with_all_its_bytes_or_dropped_by_the_rule_or_failed_with_a_reason(payload):
    found = transform(payload)
    match found:
        case Row():
            assert json.loads(found.document())["payload"].encode() == payload
            assert found.occurred_at.startswith(f"{found.dt}T{found.hour}:")
        case Dropped():
            assert json.loads(payload)["kind"] == "heartbeat"
        case Failed():
            assert found.reason


@given(st.lists(PAYLOADS, min_size=1, max_size=8))
def test_firehose_gets_one_answer_for_each_record(payloads):
    records = [{"recordId": f"r{n}", "data": base64.b64encode(payload).decode()} for n, payload in enumerate(payloads)]
    answers = convert.handler({"records": records}, None)["records"]
    assert [answer["recordId"] for answer in answers] == [record["recordId"] for record in records]
    assert {answer["result"] for answer in answers} <= {"Ok", "Dropped", "ProcessingFailed"}


@given(st.binary(max_size=200) | st.text(alphabet='a1,"\n\r.', max_size=200).map(str.encode))
def test_every_row_of_purchases_is_kept_or_given_up_with_its_bytes(body):
    read = list(rows(lines([body]), len(COLUMNS)))
    good, bad = sort_out(read)
    lost = {row.raw for row in read} - {*good, *(row.raw for row in bad)}
    assert len(good) + len(bad) == len(read)
    assert all(raw.startswith(b"#") for raw in lost)
    assert not any(raw.startswith(b"#") for raw in good)
    numbered = list(enumerate(lines([body]), 1))
    good, bad = sort_out_json(numbered)
    assert len(good) + len(bad) == len(numbered)


@given(st.lists(st.dictionaries(st.text(), st.text(), min_size=1, max_size=3), max_size=5), st.integers(1, 20))
def test_what_s3_select_returns_in_any_pieces_is_the_same_lines(documents, size):
    body = b"".join(json.dumps(document).encode() + b"\n" for document in documents)
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    found = [json.loads(line) for line in results(pieces, b'"u@v"')]
    assert found == [{**document, "upload": "u@v"} for document in documents]
