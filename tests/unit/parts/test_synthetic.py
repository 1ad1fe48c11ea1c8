"""Described records: the same bytes as ever, values of their types, promises that follow, and malformed kinds that spoil."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from pydantic_core import from_json

from harness.accounting.verdict import ANOMALIES, Account, Ingress, Outcomes
from harness.errors import UsageError
from harness.parts.formats.csv_format import CsvFormat
from harness.parts.formats.file_set import Entry, FileSet
from harness.parts.ports import Lookup, SourceContext
from harness.parts.sources.synthetic import Synthetic
from tests.loads import flat

ROOT = Path(__file__).parents[3]
FIELDS = {
    "id": {"type": "uuid"},
    "number": {"type": "int", "min": 5, "max": 9},
    "key": {"type": "int", "min": 0, "max": 199, "unique": True},
    "price": {"type": "decimal", "min": -2, "max": 2, "places": 3},
    "day": {"type": "date", "min": "2026-01-01", "max": "2026-01-03", "format": "%d.%m.%Y"},
    "at": {"type": "datetime", "min": "2026-01-01T00:00:00Z", "max": "2026-01-02T00:00:00Z", "zones": ["Z", "+02:00"]},
    "country": {"type": "choice", "of": ["DE", "FR"], "weights": [3, 1]},
    "name": {"type": "name"},
    "mail": {"type": "email"},
    "note": {"type": "text", "null": 0.25},
    "place": {"type": "nested", "fields": {"floor": {"type": "int", "max": 3}}},
    "tags": {"type": "list", "of": {"type": "choice", "of": ["a", "b"]}, "min": 1, "max": 2},
    "total": {"type": "computed", "value": "{{ price * number }}"},
}
# Bytes of the payloads. A change of the generator changes them: then, and only then, so may this.
FINGERPRINT = "885d0e1d0aa8246a0111900975cf717553f2bf181c37900e971107dbff693ca3"


def source(**keys):
    directory = keys.pop("directory", ROOT)
    given = {"records": 200, "id": "id", "fields": FIELDS, **keys}
    return Synthetic.model_validate(given, context={"directory": directory})


def records(seed=1, **keys):
    return flat(source(**keys).open(SourceContext(seed)))


def fingerprint(of):
    return hashlib.sha256(b"".join(record.payload for record in of)).hexdigest()


def test_the_same_seed_makes_the_same_bytes_as_ever_and_another_seed_others():
    assert fingerprint(records()) == FINGERPRINT
    load = source().open(SourceContext(1))
    assert flat(load) == flat(load)
    assert fingerprint(records(seed=2)) != FINGERPRINT


def test_values_are_of_their_types_and_within_their_ranges():
    documents = [from_json(record.payload) for record in records()]
    for document in documents:
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", document["id"].lower())
        assert 5 <= document["number"] <= 9
        assert -2 <= document["price"] <= 2
        assert document["day"] in {"01.01.2026", "02.01.2026", "03.01.2026"}
        assert datetime.fromisoformat(document["at"]).utcoffset() is not None
        assert 0 <= document["place"]["floor"] <= 3
        assert set(document["tags"]) <= {"a", "b"}
        assert abs(document["total"] - document["price"] * document["number"]) < 1e-9
    assert len({document["key"] for document in documents}) == 200
    assert {document["at"][-6:] == "+02:00" for document in documents} == {True, False}
    countries = Counter(document["country"] for document in documents)
    assert countries["DE"] > 2 * countries["FR"] > 0
    assert 20 < sum(document["note"] is None for document in documents) < 80


def test_a_record_promises_its_fields_but_for_the_dropped_and_what_the_template_adds():
    (record, *_) = records(promise={"amount": "{{ price * 2 }}", "text": "{{ name }}!", "fixed": [1]}, drop=["price"])
    document, promised = from_json(record.payload), from_json(record.promised)
    assert "price" not in promised
    assert promised["amount"] == pytest.approx(document["price"] * 2)
    assert (promised["text"], promised["fixed"]) == (document["name"] + "!", [1])
    assert {name: promised[name] for name in ("id", "number", "place")} == {n: document[n] for n in ("id", "number", "place")}


def test_a_promise_may_be_a_pure_function_which_may_say_that_nothing_is_stored(tmp_path):
    (tmp_path / "own.py").write_text(
        "def expected(record):\n    return {'n': record['number']} if record['number'] > 6 else None\n"
    )
    offered = records(promise="./own.py:expected", directory=tmp_path)
    for record in offered:
        number = from_json(record.payload)["number"]
        assert record.promised == (f'{{"n":{number}}}'.encode() if number > 6 else None)
        assert (record.malformed is None) == (number > 6)


def test_a_lookup_field_is_the_key_of_a_row_that_the_promise_sees_and_that_is_put_there():
    fields = {"id": {"type": "uuid"}, "customer": {"type": "lookup"}}
    rows = {"records": 9, "key": "customer", "fields": {"customer": {"type": "uuid"}, "city": {"type": "choice", "of": ["x", "y"]}}}
    for form in ("events", "csv"):
        load = source(fields=fields, lookup=rows, promise={"city": "{{ lookup.city }}"}, format=form).open(SourceContext(1))
        assert isinstance(load, Lookup)
        known = {row["customer"]: row["city"] for row in load.lookup()}
        assert len(known) == 9
        for record in flat(load):
            promised = from_json(record.promised)
            assert promised["city"] == known[promised["customer"]]
    assert not isinstance(source().open(SourceContext(1)), Lookup)


@pytest.mark.parametrize("form", ["events", "csv"])
def test_each_record_can_have_a_lookup_row_of_its_own(form):
    rows = {"records": "each", "key": "id", "fields": {"city": {"type": "choice", "of": ["x", "y"]}, "who": {"type": "name"}}}
    many = {} if form == "events" else {"files": 3}
    load = source(lookup=rows, promise={"city": "{{ lookup.city }}", "who": "{{ lookup.who }}"}, format=form, **many).open(
        SourceContext(1)
    )
    assert isinstance(load, Lookup)
    known = {row["id"]: row for row in load.lookup()}
    assert len({row["city"] for row in known.values()}) == 2
    offered = flat(load)
    assert {record.record_id for record in offered} == set(known)
    for record in offered:
        promised = from_json(record.promised)
        assert known[record.record_id] == {name: promised[name] for name in ("id", "city", "who")}


@pytest.mark.parametrize(("list_key", "path"), [("orders", ["orders"]), ("source", ["source"]), (None, [])])
def test_the_list_of_a_json_file_has_the_name_that_the_scenario_gives_it_or_is_the_file(list_key, path):
    load = source(format="json", list_key=list_key, files=9).open(SourceContext(1))
    for file in load.units():
        document = from_json(b"".join(file.parts()).removeprefix("\ufeff".encode()))
        for name in path:
            document = document[name]
        assert [record["id"] for record in document] == [record.record_id for record in file.rows()]
    for fault in ("not_a_list", "no_records", "cut_off"):
        (file,) = source(format="json", list_key=list_key, file_faults=[fault]).open(SourceContext(1)).units()
        body = b"".join(file.parts()) if file.itself is None else file.itself.payload
        if fault == "cut_off":
            with pytest.raises(ValueError, match="EOF"):
                from_json(body)
        else:
            document = from_json(body)
            of_key = document.get(list_key) if isinstance(document, dict) else document
            assert of_key == ([] if fault == "no_records" else None)


@pytest.mark.parametrize("form", ["events", "ndjson", "csv", "json"])
def test_the_malformed_share_is_exact_and_every_kind_spoils(form):
    healthy = records(format=form)
    for kind in sorted(source(format=form).malformers):
        offered = records(format=form, malformed={"share": 0.1, "kinds": [kind]})
        spoilt = [place for place, record in enumerate(offered) if record.malformed]
        assert len(spoilt) == 20
        assert {offered[place].malformed for place in spoilt} == {kind}
        assert all(offered[place].promised is None for place in spoilt)
        assert all(record.malformed or record.promised is not None for record in offered)
    assert all(record.promised is not None for record in healthy)


def test_rows_are_csv_and_elements_are_json():
    load = source(format="csv", files=3, name="orders").open(SourceContext(1))
    units = list(load.units())
    assert [file.name for file in units] == [
        "input/orders +1.csv",
        "input/part=2/orders +1.csv",
        "input/orders +3 Übersicht 日本.csv",
    ]
    bodies = [b"".join(file.parts()).decode("utf-8-sig") for file in units]
    rows = [row for body in bodies for row in csv.DictReader(io.StringIO(body, newline=""))]
    assert [row["id"] for row in rows] == [record.record_id for record in flat(load)]
    assert list(rows[0]) == list(FIELDS)
    (file,) = source(format="json").open(SourceContext(1)).units()
    assert len(from_json(b"".join(file.parts()).removeprefix("\ufeff".encode()))["records"]) == 200


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"id": "nothing"}, "id: no field is called nothing"),
        ({"drop": ["x"]}, "drop: no field is called x"),
        ({"promise": {"a": "{{ price * }}"}}, "is not an expression"),
        ({"promise": "./nowhere.py:f"}, "does not exist"),
        ({"promise": "nowhere"}, "names no function"),
        ({"fields": {"id": {"type": "uid"}}}, "uuid"),
        ({"fields": {"id": {"type": "int", "min": 5, "max": 4}}}, "min: 5 is more than max"),
        ({"fields": {"id": {"type": "choice", "of": [1, 2], "weights": [1]}}}, "expected 2 numbers"),
        (
            {"fields": {"id": {"type": "list", "max": 9999, "of": {"type": "list", "max": 9999, "of": {"type": "int"}}}}},
            "more than 100,000 values",
        ),
        ({"fields": {"id": {"type": "date", "format": "%c" * 51}}}, "at most 100 characters"),
        ({"fields": {"id": {"type": "choice", "of": [b"\xff"]}}}, "of: "),
        (
            {"fields": {"id": {"type": "datetime", "max": "9999-12-31T23:59:59Z", "zones": ["+23:59"]}}},
            "has no date in the zone +23:59",
        ),
        ({"promise": {"a": "{{ id" + " " * 10_000 + "}}"}}, "at most 10,000 characters"),
        ({"promise": {"a": "{% if 1 %}" * 120 + "{% endif %}" * 120 + "{{ id }}"}}, "is not an expression"),
        ({"promise": {"a": "{{ id|center(10) }}"}}, "is not an expression"),
        ({"fields": {"id": {"type": "choice", "of": [1, 2], "weights": [1, 10**30]}}}, "their sum is more than 1,000,000"),
        ({"fields": {"id": {"type": "int", "max": 10**400}}}, "less than or equal to 1000000"),
        ({"fields": {"id": {"type": "decimal", "max": "1e400"}}}, "less than or equal to 1000000"),
        ({"fields": {"id": {"type": "lookup"}}}, "such a field needs lookup"),
        ({"lookup": {"records": "each", "key": "nothing", "fields": {"city": {"type": "name"}}}}, "no field is called nothing"),
        ({"lookup": {"records": "each", "key": "id", "fields": {"id": {"type": "uuid"}}}}, "comes from the record"),
        ({"lookup": {"records": "each", "key": "id", "fields": {"n": {"type": "int", "unique": True}}}}, "n cannot be unique"),
        (
            {"lookup": {"records": "each", "key": "id", "fields": {"n": {"type": "list", "of": {"type": "int", "unique": True}}}}},
            "n cannot be unique",
        ),
        ({"lookup": {"records": "each", "key": "total", "fields": {"n": {"type": "name"}}}}, "total can be no key"),
        ({"lookup": {"records": "each", "key": "note", "fields": {"n": {"type": "name"}}}}, "note can be no key"),
        ({"list_key": "orders"}, "list_key: events has no list"),
        ({"fields": {"id": {"type": "nested", "fields": {"x": {"type": "computed", "value": "1"}}}}}, "'uuid', 'choice'"),
        ({"fields": {"id": {"type": "list", "of": {"type": "lookup"}}}}, "'uuid', 'choice'"),
        ({"malformed": {"share": 0.1, "kinds": ["odd"]}}, "'odd' is none of bad_json"),
        ({"file_faults": ["empty_file"]}, "events"),
        ({"format": "csv", "file_faults": ["empty_file", "not_csv"]}, "2 faults for 1 files"),
    ],
)
def test_a_description_that_means_nothing_is_refused(keys, said):
    with pytest.raises(ValidationError, match=re.escape(said)):
        source(**keys)


def test_an_expression_that_has_no_value_is_told_before_the_run():
    too_much = (
        "{{ 9**(9**9) }}", "{{ 10**9 * 10**9 ** 1000 }}", "{{ 'a' * 10**9 }}", "{{ '%1000000000d' % 1 }}", "{{ '{:1000000000}'.format(1) }}",
        "{{ 'x'.ljust(10**9) }}", "{{ range(9) }}", "{{ lipsum() }}", "{{ name.encode('nope') }}", "{{ name.nothing.more }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    )  # fmt: skip
    for promise in ("{{ nothing }}", "{{ note ~ 1 / 0 }}", "{{ name * price }}", "{{ ''.__class__.__mro__ }}", *too_much):
        with pytest.raises(UsageError, match="has no value here"):
            source(promise={"x": promise}).open(SourceContext(1))


def test_the_example_of_the_docs_is_a_description():
    (block,) = [
        b for b in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "scenarios.md").read_text(), re.DOTALL) if "computed" in b
    ]
    described = Synthetic.model_validate(yaml.safe_load(block)["source"])
    assert sum(1 for _ in flat(described.open(SourceContext(1)))) == 1000


@pytest.mark.parametrize("value", ["{{ [1]|map('string') }}", "{{ name.upper }}"])
def test_a_value_that_json_does_not_have_is_told(value):
    with pytest.raises(UsageError, match="which JSON does not have"):
        source(fields={**FIELDS, "odd": {"type": "computed", "value": value}}).open(SourceContext(1))


def test_every_kind_spoils_a_file_of_one_column():
    fields = {"id": {"type": "uuid"}}
    for kind in source(format="csv", fields=fields).malformers:
        offered = records(format="csv", fields=fields, malformed={"share": 0.5, "kinds": [kind]})
        healthy = records(format="csv", fields=fields)
        assert all(a.payload != b.payload for a, b in zip(offered, healthy, strict=True) if a.malformed)


def test_a_file_that_would_have_no_record_is_not_made():
    files = FileSet(
        CsvFormat(("id",), {}), lambda draft: [Entry(str(n), ["1"], {}, None) for n in range(draft.count)], 1, 1, files=3
    )
    (only,) = files.units()
    assert len(list(only.records())) == 1
    spoilt = replace(files, file_faults=("wrong_header", "empty_file"))
    assert [len(list(file.records())) for file in spoilt.units()] == [1, 1], "the empty file is a record itself"


def test_an_expression_without_a_value_for_an_edge_is_refused_before_the_load():
    fields = {
        "id": {"type": "uuid"},
        "u": {"type": "int", "min": 0, "max": 100_000},
        "p": {"type": "computed", "value": "{{ 100 / u }}"},
    }
    described = Synthetic.model_validate({"kind": "synthetic", "records": 1000, "id": "id", "fields": fields})
    with pytest.raises(UsageError, match="division by zero"):
        described.open(SourceContext(1))


def test_edges_stay_within_what_a_field_allows():
    fields = {
        "id": {"type": "uuid", "null": 0.0},
        "price": {"type": "decimal", "min": -0.004, "max": 1.999, "places": 2},
        "whole": {"type": "decimal", "min": 0.4, "max": 1.6, "places": 0},
        "day": {"type": "date", "min": "2024-03-01", "max": "2028-12-31"},
        "at": {"type": "datetime", "min": "2026-01-01T10:00:00Z", "max": "2026-01-01T11:00:00Z"},
        "never": {"type": "datetime", "min": "9999-12-31T10:00:00Z", "max": "9999-12-31T11:00:00Z"},
        "record": {"type": "choice", "of": ["ordinary", "file: x"]},
    }
    load = Synthetic.model_validate({"kind": "synthetic", "records": 500, "id": "id", "fields": fields}).open(SourceContext(1))
    documents = [from_json(record.payload) for record in load.units()]
    assert {0.0, 1.99} <= {document["price"] for document in documents}
    assert all(0 <= document["price"] <= 1.999 for document in documents)
    assert {document["whole"] for document in documents} == {1}
    assert "2028-02-29" in {document["day"] for document in documents}
    assert all("2026-01-01T10" <= document["at"][:13] <= "2026-01-01T11" for document in documents)
    labels = {label for record in load.units() for label in record.classes}
    assert labels == set(load.classes)


def test_numbers_are_unique_whatever_their_span_is_a_multiple_of():
    span = 611_953_897 * 1_000_003 * 999_983
    fields = {"id": {"type": "int", "min": 0, "max": span - 1, "unique": True}}
    load = Synthetic.model_validate({"kind": "synthetic", "records": 500, "id": "id", "fields": fields, "drop": ["id", "id"]})
    assert len({record.record_id for record in load.open(SourceContext(1)).units()}) == 500


@pytest.mark.parametrize("form", ["events", "csv", "ndjson", "json"])
def test_a_record_for_which_the_rule_is_true_is_filtered_and_promises_nothing(form):
    fields = {"id": {"type": "uuid"}, "price": {"type": "decimal", "min": 90, "max": 110, "places": 1}}
    made = records(format=form, fields=fields, filtered="{{ price <= 100 }}", malformed={"share": 0.1})
    assert len({record.filtered for record in made}) == 2
    for record in made:
        if record.malformed:
            assert (record.filtered, record.promised) == (None, None)
            continue
        price = float(record.payload.split(b",")[1]) if form == "csv" else from_json(record.payload)["price"]
        assert (record.filtered == "{{ price <= 100 }}") == (price <= 100) == (record.promised is None)


def test_a_rule_is_one_expression():
    with pytest.raises(ValidationError, match="is not an expression"):
        source(filtered="price <= 100")


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
def test_a_rival_stands_in_its_file_and_in_the_next_one(form):
    made = source(format=form, records=90, files=3, rivals=0.2, malformed={"share": 0.2}).open(SourceContext(7))
    files = [list(file.records()) for file in made.units()]
    assert files == [list(file.records()) for file in made.units()], "the same ones each time"
    where = defaultdict(list)
    for number, rows in enumerate(files):
        for row in rows:
            if row.rival:
                where[row.rival].append((number, row))
    pairs = list(where.values())
    # Of each of the first two files six records, less those that are malformed.
    assert 4 <= len(pairs) <= 12
    for (first, one), (second, other) in pairs:
        assert second == first + 1
        assert one.promised is not None
        assert (one.record_id, one.promised) == (other.record_id, other.promised)
    # Beside them every record is there as without rivals.
    alone = source(format=form, records=90, files=3, malformed={"share": 0.2}).open(SourceContext(7))
    assert [[row.payload for row in rows[:30]] for rows in files] == [
        [row.payload for row in file.records()] for file in alone.units()
    ]
    assert made.total is None


@pytest.mark.parametrize("keys", [{"files": 1}, {"files": 2, "file_faults": ["empty_file"]}, {"files": 3, "format": "events"}])
def test_rivals_without_two_files_are_refused(keys):
    with pytest.raises(ValidationError, match="rivals: a record can stand in two files only where there are two"):
        source(**{"format": "csv", "rivals": 0.1, **keys})


def test_a_spoilt_file_has_no_rivals():
    made = source(format="csv", records=90, files=3, rivals=0.2, file_faults=["wrong_header"]).open(SourceContext(7))
    assert [sum(row.rival is not None for row in file.records()) for file in made.units()] == [6, 6, 0]


FEW = {"id": {"type": "uuid"}, "text": {"type": "text"}}


def test_files_that_do_not_vary_are_called_and_written_in_the_ordinary_way():
    load = source(format="csv", fields=FEW, files=4, prefix="in/", vary=False).open(SourceContext(1))
    files = list(load.units())
    assert [file.name for file in files] == [f"in/records-{number}.csv" for number in (1, 2, 3, 4)]
    for file in files:
        assert file.head == b"id,text\n"
        assert (file.separator, file.end, file.classes) == (b"\n", b"\n", ())
    assert load.classes == ()
    (one,) = source(format="csv", fields=FEW, vary=False).open(SourceContext(1)).units()
    assert one.name == "input/records.csv"


def account(stored, **anomalies):
    lost = anomalies.get("lost", 0)
    outcome = Outcomes(stored=stored, dead_lettered=10 - stored - lost)
    return Account(Ingress(10, 10), outcome, dict.fromkeys(ANOMALIES, 0) | anomalies, healthy_stored=stored, reconciled=True)


def test_what_becomes_of_a_guess_is_a_doubt_unless_some_of_it_was_stored_and_none_given_up():
    guess, known = source(fields=FEW, guessed=True), source(fields=FEW)
    for of in (account(0, lost=10), account(0, misrouted=10), account(9, misrouted=1)):
        (said,) = guess.doubts(of)
        assert "guess" in said
        assert not list(known.doubts(of))
    assert not list(guess.doubts(account(10)))
    # A record that is lost while its like is stored is lost.
    assert not list(guess.doubts(account(9, lost=1)))
