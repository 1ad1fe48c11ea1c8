"""The records' transforms: what is a record, what it becomes, and what becomes of a file that holds none."""

from __future__ import annotations

import json
from itertools import chain

import pytest
from pydantic_core import from_json

from harness.parts.formats.json_format import JSON_FILE_FAULTS
from harness.parts.probes.dynamodb import plain
from pipeline.files.failed_files import FileRejectedError
from pipeline.records import items, transforms
from tests.loads import body, files, flat, module


@pytest.mark.parametrize("kind", sorted(module("records").MALFORMERS))
def test_no_malformed_element_is_a_record_and_each_is_kept_as_it_came(kind):
    source = files("records", 3, 100, share=1, kinds=[kind])
    good, bad = transforms.validate(transforms.elements(body(source)))
    # The first record is never spoilt.
    assert [record.position for record in good] == [0]
    assert [row.raw for row in bad] == [record.payload for record in flat(source)][1:]
    assert [row.line for row in bad] == list(range(1, 100))


@pytest.mark.parametrize("fault", JSON_FILE_FAULTS)
def test_a_file_that_holds_no_records_is_rejected(fault):
    with pytest.raises(FileRejectedError):
        list(transforms.elements(body(files("records", 3, 10, file_faults=[fault]))))


def test_healthy_records_become_the_items_that_are_promised():
    source = files("records", 4, 300)
    good, bad = transforms.validate(transforms.elements(body(source)))
    assert bad == []
    for number, (found, record) in enumerate(zip((items.item(r, "u") for r in good), flat(source), strict=True)):
        values = {name: plain(value) for name, value in found.items()}
        assert values == {**from_json(record.promised), "upload": "u", "line": str(number)}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ('{"value": 1}', "id: expected"),
        ('{"id": "", "value": 1}', "id: expected"),
        ('{"id": 1.5, "value": 1}', "id: expected"),
        ('{"id": true, "value": 1}', "id: expected"),
        ('{"id": "a", "value": "5"}', "value: expected a number"),
        ('{"id": "a", "value": 1e999999999999999999999}', "a number with more than"),
        ('{"id": "a", "value": 1e126}', "a number with more than"),
        ('{"id": "a", "value": 1e999999999999999999}', "a number with more than"),
        ('{"id": "a", "value": 1e-1500000000000000000}', "a number with more than"),
        ('{"id": "a", "value": 1, "value": 2}', "a name stands twice"),
        ('{"id": "a", "value": 1, "more": [{"b": 1, "b": 2}]}', "a name stands twice"),
        ('{"id": "a", "value": 10000000000000000000000000000000000000000000000001}', "a number with more than"),
        ('{"id": "a", "value": 1, "more": {"": 2}}', "a field without a name"),
        ('{"id": "a", "value": 1, "more": "\\ud800"}', "half a surrogate pair"),
        ('{"id": "\\ud800", "value": 1}', "half a surrogate pair"),
        ('{"id": "a", "value": 1, "more": ' + "[" * 40 + "]" * 40 + "}", "nested more than"),
        ('{"id": "a", "value": 1, "line": 5}', "line: set by the pipeline"),
        ('{"id": "a", "value": 1, "' + "n" * 65_536 + '": 5}', "a field without a name, or with one of more"),
        ('{"id": "a", "value": 1, "more": "' + "x" * 240_000 + '"}', "more than 240000 bytes"),
    ],
)
def test_what_the_table_cannot_keep_is_no_record_and_leaves_its_neighbours_alone(values, why):
    good, bad = transforms.validate(transforms.elements(f'[{values}, {{"id": "ok", "value": 1}}]'.encode()))
    assert [record.position for record in good] == [1]
    assert why in bad[0].problem


@pytest.mark.parametrize(
    ("value", "stored", "times_ten"),
    [
        ("12.50", "12.5", "125"),
        ("-0.0", "0", "0"),
        ("1E+3", "1000", "10000"),
        ("0.1", "0.1", "1"),
        ("9" * 38, "9" * 38, f"9.{'9' * 37}E+38"),
    ],
)
def test_numbers_are_exact(value, stored, times_ten):
    ((record,), _) = transforms.validate(transforms.elements(f'[{{"id": 7, "value": {value}}}]'.encode()))
    found = items.item(record, "u")
    assert found["id"] == {"S": "7"}
    assert (found["value"]["N"], found["transformed_value"]["N"]) == (stored, times_ten)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "[]",
        '{"records": []}',
        '{"records": [1], "records": [2]}',
        "7",
        '"records"',
        '{"rows": [1]}',
        '[{"id": "a"',
        "[1] [2]",
        "[NaN]",
        "[" * 100_000,
        "\xff",
    ],
)
def test_what_is_no_list_is_told_so(text):
    with pytest.raises(FileRejectedError):
        list(transforms.elements(text.encode("latin-1")))


def test_the_list_is_found_wherever_it_stands():
    text = '{"a": {"records": [2]}, "b": "]", "records" : [ 3 , {"x": [4]} ] , "c": 5}'
    assert [raw for _, raw in transforms.elements(text.encode())] == ["3", '{"x": [4]}']


def test_two_records_with_one_id_are_one_and_a_failed_one():
    text = json.dumps([{"id": "1", "value": 1}, {"id": 1, "value": 2}])
    good, bad = transforms.validate(transforms.elements(text.encode()))
    assert [record.position for record in good] == [0]
    assert bad[0].problem == "DuplicateId: an earlier record of the file has the id '1'"


def test_batches_have_every_record_once_and_a_history_has_room_for_them():
    records = [transforms.Valid(number, "") for number in range(7)]
    assert [len(batch) for batch in transforms.batches(records, 3)] == [3, 3, 1]
    assert list(chain(*transforms.batches(records, 3))) == records
    assert transforms.batches([], 3) == []
    assert len(transforms.batches(records * 1000, 1)) <= transforms.MAX_BATCHES


def test_only_an_item_of_the_same_upload_and_place_counts_as_stored():
    records = [transforms.Valid(number, f'{{"id": "{number}", "value": 1}}') for number in range(3)]
    stored = [items.item(records[0], "mine"), items.item(records[1], "another's")]
    assert [record.position for record in items.missing(records, stored, "mine")] == [1, 2]
