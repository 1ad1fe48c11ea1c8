"""The generators of files: the same bytes as ever, the exact share of spoilt records, files that are spoilt as a whole."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import groupby

import pytest

from harness.load.malformed_csv import CSV_FILE_FAULTS
from harness.load.malformed_json import JSON_FILE_FAULTS
from harness.load.orders import ORDER_KINDS, OrdersSource
from harness.load.records import RECORD_KINDS, RecordsSource
from harness.load.students import STUDENT_KINDS, StudentsSource

# SHA-256 of all files. A change of the generator changes them: then, and only then, so may these.
GENERATORS = [
    (OrdersSource, ORDER_KINDS, CSV_FILE_FAULTS, "54c3c23eab0ca441070ad9d2917b28e15c86b7b2ca3ce85c911dfbeeac52cd30"),
    (StudentsSource, STUDENT_KINDS, CSV_FILE_FAULTS, "102ab991a8f38fcd7f916f9aba413a3025e83f6c7403bdb16943fffc3e2a4d2f"),
    (RecordsSource, RECORD_KINDS, JSON_FILE_FAULTS, "a70873ad29f6e77fcb340d1c05d46c916ca7419c2d7bb98cdf9478555274adf9"),
]
each_generator = pytest.mark.parametrize(("make", "kinds", "faults", "fingerprint"), GENERATORS)


def files(source):
    """Name -> bytes."""
    made = {}
    for name, records in groupby(source, key=lambda record: record.partition_key):
        made[name] = b"".join(source.frame(name).parts(records))
    return made


@each_generator
def test_the_same_seed_makes_the_same_bytes_as_ever(make, kinds, faults, fingerprint):
    source = make(1, 700, 7, 0.2, kinds, faults)
    digest = hashlib.sha256()
    for name, body in files(source).items():
        digest.update(f"{name} {len(body)}\n".encode() + body)
    assert digest.hexdigest() == fingerprint
    assert files(source) == files(source), "iterating twice makes the same records"
    assert files(source) != files(make(2, 700, 7, 0.2, kinds, faults))


@each_generator
def test_the_share_is_exact_every_kind_is_there_and_none_of_them_may_be_stored(make, kinds, faults, fingerprint):
    records = list(make(3, 900, 1, 0.1, kinds))
    spoilt = [record for record in records if record.malformed]
    counts = Counter(record.malformed for record in spoilt)
    assert (len(records), len(spoilt), set(counts)) == (900, 90, set(kinds))
    assert max(counts.values()) - min(counts.values()) <= 1
    assert all((record.promised is None) == (record.malformed is not None) for record in records)


@each_generator
def test_a_spoilt_file_spoils_all_of_its_records_and_no_other(make, kinds, faults, fingerprint):
    records = list(make(4, 12, len(faults) + 1, file_faults=faults))
    for number, (_, of_file) in enumerate(groupby(records, key=lambda record: record.partition_key)):
        expected = None if number == 0 else [*reversed(faults)][number - 1]
        assert {record.malformed for record in of_file} == {expected}
