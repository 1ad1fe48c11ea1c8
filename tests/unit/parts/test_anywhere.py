"""Probe `anywhere`: ids in any text, evidence that is none, and the doubt where records stand in fewer places than others."""

from __future__ import annotations

import base64
import gzip
import io
import json
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.accounting.ledger import Ledger
from harness.accounting.record import Answer, Record, Status, object_put, payload_hash
from harness.parts.mentions import Mentions, patterns
from harness.parts.probes import anywhere
from harness.parts.probes.anywhere import Anywhere, _by_kind, _folder

IDS = ("3a3f2f06-4a51-4c55-8a3b-1f60c5f9a6d7", "ORD-123456", "ORD-1234567", "987654321")


def ledger(run_dir, ids=IDS, *, put_at=None, file_hash=None, poison=()):
    with Ledger(run_dir / "ledger.parquet") as table:
        for one in ids:
            answer = Answer(Status.ACKED, 0, put_at=put_at, file_hash=file_hash)
            table.add(Record(one, one.encode(), None if one in poison else b"{}", "bad_json" if one in poison else None), answer)
    return run_dir


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"pk": "PAYMENT#3a3f2f06-4a51-4c55-8a3b-1f60c5f9a6d7"}', {IDS[0]}),
        (b"3A3F2F06-4A51-4C55-8A3B-1F60C5F9A6D7", {IDS[0]}),
        (b"orders/ORD-1234567.json", {"ORD-1234567"}),
        (b"x-ORD-123456-y", {"ORD-123456"}),
        (b"00987654321,1", {"987654321"}),
        (b'{"rawData": "' + base64.b64encode(b'{"id": "987654321"}') + b'"}', {"987654321"}),
        (b'["ORD-123456", "987654321"]', {"ORD-123456", "987654321"}),
        (b"ORD-12345", set()),
        (b"", set()),
        (bytes(range(256)), set()),
    ],
)  # fmt: skip
def test_ids_are_found_in_any_text(tmp_path, text, found):
    assert Mentions(ledger(tmp_path)).named(text) == found


@given(
    st.lists(st.text("abcdef0123456789-", min_size=6, max_size=12), min_size=1, max_size=8, unique=True),
    st.text('"{}:, #/', max_size=5), st.text('"{}:, #/', max_size=5),
)  # fmt: skip
def test_every_id_is_found_between_other_characters(ids, before, after):
    words, shape, shortest = patterns({one: one for one in ids})
    for one in ids:
        assert one in words.findall(f"{before}{one}{after}")
        assert any(found[1].startswith(one) for found in shape.finditer(f"x{before}{one}{after}x"))
    assert shortest == min(map(len, ids))


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        ("orders/a.json", "orders/*.json"),
        ("orders/3.err", "orders/*.err"),
        ("orders/a.B.JSON.gz", "orders/*.json.gz"),
        ("a", ""),
        ("v=1.json", "*.json"),
        ("orders/a@example.99", "orders/"),
        ("year=2026/month=01/a", "year="),
        ("2026/01/02/a", "*/"),
        ("3a3f2f06-4a51-4c55-8a3b-1f60c5f9a6d7/a", "*/"),
        ("raw-v2/a", "raw-v*/"),
    ],
)
def test_folders_that_are_named_after_their_content_are_one_place(key, folder):
    assert _folder(key) == folder


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """Opens the probe on what the places have: place -> name -> ids."""

    def probe(places, contents, poison=()):
        for old in tmp_path.glob("anywhere-*"):
            old.unlink()
        ledger(tmp_path, poison=poison)
        monkeypatch.setattr(
            anywhere,
            "_documents",
            lambda place, _context, _load: ((name, " ".join(ids).encode(), b"") for name, ids in contents[place.table].items()),
        )
        part = Anywhere(places=tuple({"table": name, **keys} for name, keys in places.items()), kind="anywhere")
        context = SimpleNamespace(run_dir=tmp_path, clients=None, kept_for_s=0)
        return [(one.outcome, one.record_id) for one in part.open(context)], list(part.doubts(context))

    return probe


A, B, C, D = IDS


def test_a_record_is_stored_once_whatever_places_have_it(probe):
    seen, doubts = probe({"t": {}, "u": {}}, {"t": {"t": IDS}, "u": {"u": IDS}})
    assert sorted(seen) == sorted(("stored", one) for one in IDS)
    assert doubts == []


def test_records_that_are_routed_to_one_of_several_places_are_a_doubt_until_the_places_say_so(probe):
    contents = {"t": {"t": {A, B}}, "u": {"u": {C, D}}, "archive": {"archive": IDS}}
    seen, (doubt,) = probe({"t": {}, "u": {}, "archive": {}}, contents)
    assert len(seen) == 4
    assert doubt.startswith("4 of 4 stored records do not stand in each of the places")
    assert probe({"t": {"holds": "some"}, "u": {"holds": "some"}, "archive": {}}, contents)[1] == []


@pytest.mark.parametrize("holds", [{}, {"holds": "every"}])
def test_a_note_of_an_error_that_names_a_record_is_a_doubt(probe, holds):
    """Each record stands in one place, and two of them only as a note."""
    _, (doubt,) = probe({"t": holds}, {"t": {"s3://b/scans/*.json": {A, B}, "s3://b/errors/*.txt": {C, D}}})
    assert "(s3://b/errors/*.txt: 2, s3://b/scans/*.json: 2): lost there" in doubt


def test_a_record_that_only_the_archive_has_is_a_doubt_and_no_pass(probe):
    seen, (doubt,) = probe({"t": {}, "archive": {}}, {"t": {"t": {A, B, C}}, "archive": {"archive": IDS}})
    assert len(seen) == 4
    assert doubt.startswith(f"1 of 4 stored records do not stand in each of the places, such as {D} (t: 3, archive: 4): lost there")


def test_folders_of_one_bucket_are_places_too(probe):
    _, (doubt,) = probe({"t": {}}, {"t": {"s3://b/raw/": IDS, "s3://b/done/": {A}}})
    assert "3 of 4 stored records do not stand in each" in doubt


def test_a_place_that_holds_some_is_no_doubt_and_one_that_holds_every_decides(probe):
    contents = {"t": {"t": {A, B, C}}, "archive": {"archive": IDS}}
    seen, doubts = probe({"t": {"holds": "some"}, "archive": {}}, contents)
    assert (len(seen), doubts) == (4, [])
    seen, doubts = probe({"t": {"holds": "every"}, "archive": {}}, contents)
    assert sorted(one for _, one in seen) == sorted((A, B, C))
    assert doubts == []


def test_what_is_given_up_is_no_part_of_the_doubt(probe):
    seen, doubts = probe(
        {"t": {}, "dead": {"outcome": "dead_lettered"}}, {"t": {"t": {A, B, C}}, "dead": {"dead": {D}}}, poison=(D,)
    )
    assert ("dead_lettered", D) in seen
    assert doubts == []


def test_what_the_load_itself_has_put_and_copies_of_its_files_prove_nothing(tmp_path):
    body = b"id\nORD-123456\n"
    load = Mentions(ledger(tmp_path, put_at=object_put("b", "in/a.csv", "etag"), file_hash=payload_hash(body)))
    assert load.has_put(object_put("b", "in/a.csv", "etag"))
    assert load.has_put("s3://b/archive/a.csv#other", body)
    assert not load.has_put("s3://b/archive/a.csv#other", body + b"more")


@pytest.mark.parametrize("pack", ["plain", "gzip", "parquet", "broken gzip"])
def test_objects_are_unpacked_before_they_are_read(tmp_path, pack):
    body = json.dumps({"id": A}).encode()
    if pack == "parquet":
        buffer = io.BytesIO()
        pq.write_table(pa.table({"id": [A]}), buffer)
        body = buffer.getvalue()
    elif pack == "gzip":
        body = gzip.compress(body)
    elif pack == "broken gzip":
        body = b"\x1f\x8b" + body
    assert Mentions(ledger(tmp_path)).named(anywhere._unpacked(body)) == {A}


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ('{"id": "ORD-123456", "n": 1}', True),
        ('{"error": "full", "body": "{\\"id\\": \\"ORD-123456\\", \\"n\\": 1}"}', True),
        ('{"error": "full", "record": {"id":"ORD-123456","n":1}}', True),
        ('{"records": [{"data": "' + base64.b64encode(b'{"id": "ORD-123456", "n": 1}').decode() + '"}]}', True),
        ('first line\n{"id": "ORD-123456", "n": 1}\nlast', True),
        ('{"id": "ORD-123456", "error": "full"}', False),
        ("ORD-123456: full", False),
        ("[" * 9 + '{"id": "ORD-123456", "n": 2}' + "]" * 9, False),
    ],
)
def test_a_record_that_is_given_up_is_kept_where_its_bytes_are(tmp_path, content, kept):
    with Ledger(tmp_path / "ledger.parquet") as table:
        table.add(Record("ORD-123456", b'{"id": "ORD-123456", "n": 1}', b"{}"), Answer(Status.ACKED, 0))
        table.add(Record("twice", b"same", b"{}"), Answer(Status.ACKED, 0))
        table.add(Record("again", b"same", b"{}"), Answer(Status.ACKED, 0))
    load = Mentions(tmp_path)
    assert load.kept_in(content.encode()) == ({"ORD-123456"} if kept else set())
    assert load.kept_in(b"same") == set(), "which of the two nothing tells"


@pytest.mark.parametrize(("keys", "missed"), [({}, True), ({"keeps_payload": False}, False)])
def test_of_what_is_given_up_the_bytes_are_missed_unless_the_place_says_that_it_has_none(probe, tmp_path, keys, missed):
    probe({"dead": {"outcome": "dead_lettered"}}, {"dead": {"dead": {f"{A} failed"}}})
    for old in tmp_path.glob("anywhere-*"):
        old.unlink()
    part = Anywhere(places=({"table": "dead", "outcome": "dead_lettered", **keys},), kind="anywhere")
    (one,) = part.open(SimpleNamespace(run_dir=tmp_path, clients=None, kept_for_s=0))
    assert (one.record_id, one.keeps_payload, one.payload_hash) == (A, missed, None)


def test_of_the_rows_of_a_file_the_id_is_enough(tmp_path):
    load = Mentions(ledger(tmp_path, file_hash=payload_hash(b"a file")))
    assert load.kept_in(A.encode() + b" failed") == {A}


@pytest.mark.parametrize(
    ("shapes", "places"),
    [
        ({"id\0at\0depot\0kg": {A, B}, "error\0id": {C}}, {"t": {A, B}, "t (error, id)": {C}}),
        ({"id\0at\0depot\0kg": {A, B}, "at\0id": {C}}, {"t": {A, B, C}}),
        ({"id\0at\0depot\0kg": {A, B}, "id\0at\0depot\0kg\0note": {C}}, {"t": {A, B, C}}),
        ({"id": {A}, "error\0id\0status": {B, C}}, {"t": {B, C}, "t (id)": {A}}),
    ],
)
def test_items_that_lack_most_attributes_of_the_others_are_a_place_of_their_own(shapes, places):
    groups = {f"t\0{shape}": (ids, set()) for shape, ids in shapes.items()}
    assert {name: ids for name, (ids, _) in _by_kind(groups).items()} == places
