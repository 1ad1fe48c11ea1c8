"""The generators of files: the same bytes as ever, the exact share of spoilt records, files that are spoilt as a whole."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from harness.parts.formats.csv_format import CSV_FILE_FAULTS
from harness.parts.formats.json_format import JSON_FILE_FAULTS
from tests import loads

# SHA-256 of all files. A change of the generator changes them: then, and only then, so may these.
GENERATORS = [
    ("orders", CSV_FILE_FAULTS, "cbe6916ca99850b422ace7d2d2d30322ed7659ca0b90ae4b83a243061fa783cd"),
    ("students", CSV_FILE_FAULTS, "2f4f22b79c5138a455810093dba701417f2d83e1e26ca7ae1d6f42a1a48bcd8b"),
    ("approvals", CSV_FILE_FAULTS, "d03d542c9fb3880207a2e2f99de0cfd28fde9e1f2d772463a96390d4728379e3"),
    ("records", JSON_FILE_FAULTS, "21114abb7def744f8c3a587c2034b1120e71742f63157a78556835dc18e8010a"),
]
each_generator = pytest.mark.parametrize(("system", "faults", "fingerprint"), GENERATORS)


def files(load):
    """Name -> bytes."""
    return {file.name: b"".join(file.parts()) for file in load.units()}


@each_generator
def test_the_same_seed_makes_the_same_bytes_as_ever(system, faults, fingerprint):
    load = loads.files(system, 1, 700, number=7, share=0.2, file_faults=faults)
    digest = hashlib.sha256()
    for name, body in files(load).items():
        digest.update(f"{name} {len(body)}\n".encode() + body)
    assert digest.hexdigest() == fingerprint
    assert files(load) == files(load), "iterating twice makes the same records"
    assert files(load) != files(loads.files(system, 2, 700, number=7, share=0.2, file_faults=faults))


@each_generator
def test_the_share_is_exact_every_kind_is_there_and_none_of_them_may_be_stored(system, faults, fingerprint):
    records = loads.flat(loads.files(system, 3, 900, share=0.1))
    spoilt = [record for record in records if record.malformed]
    counts = Counter(record.malformed for record in spoilt)
    assert (len(records), len(spoilt), set(counts)) == (900, 90, set(loads.module(system).KINDS))
    assert max(counts.values()) - min(counts.values()) <= 1
    assert all((record.promised is None) == (record.malformed is not None) for record in records)


@each_generator
def test_a_spoilt_file_spoils_all_of_its_records_and_no_other(system, faults, fingerprint):
    load = loads.files(system, 4, 12, number=len(faults) + 1, file_faults=faults)
    for number, file in enumerate(load.units()):
        expected = None if number == 0 else [*reversed(faults)][number - 1]
        assert {record.malformed for record in file.records()} == {expected}


@each_generator
def test_a_file_without_rows_is_a_record_whose_payload_is_the_file(system, faults, fingerprint):
    for fault in faults:
        (file,) = loads.files(system, 4, 12, file_faults=[fault]).units()
        if file.itself:
            assert (file.itself.record_id, file.itself.payload) == (file.name, b"".join(file.parts()))
