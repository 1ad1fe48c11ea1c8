"""The shares of a load: together they are the load, and a key has one worker."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from harness.accounting.ledger import Fingerprint
from harness.accounting.record import Record
from harness.parts.units import File
from harness.run.share import Share

KEYS = st.sampled_from(["", "a", "b", "user-1", "jürgen-日本", "\ud800"])
RECORDS = st.builds(
    lambda number, key: Record(f"r{number}", f"{number}".encode(), None, partition_key=key), st.integers(0, 99), KEYS
)
FILES = st.builds(
    lambda name, rows: File(name, lambda: iter(rows)), st.sampled_from(["a.csv", "b.csv"]), st.lists(RECORDS, max_size=5)
)


def of(unit):
    return list(unit.records()) if isinstance(unit, File) else [unit]


@given(st.lists(RECORDS | FILES, max_size=30), st.integers(1, 9))
def test_each_record_is_in_one_share_at_its_place_and_keys_keep_their_order(units, workers):
    whole = [record for unit in units for record in of(unit)]
    fingerprint = Fingerprint()
    for record in whole:
        fingerprint.add(record)
    found = {}
    workers_of = defaultdict(set)
    for number in range(workers):
        share = Share(units, number, workers)
        yielded = list(share.units())
        places = list(share.places)
        assert places == sorted(places)
        records = [record for unit in yielded for record in of(unit)]
        assert len(places) == len(records)
        found.update(zip(places, records, strict=True))
        for unit in yielded:
            workers_of[unit.name if isinstance(unit, File) else f"key {unit.key}"].add(number)
        assert share.fingerprint.text == fingerprint.text
    assert [found[place] for place in range(len(whole))] == whole
    assert len(found) == len(whole)
    assert all(len(numbers) == 1 for numbers in workers_of.values())
