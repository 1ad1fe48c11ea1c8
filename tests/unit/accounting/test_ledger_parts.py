import pyarrow.parquet as pq
import pytest

from harness.accounting.ledger import Ledger
from harness.accounting.ledger_parts import JoinedLedger
from harness.accounting.record import Answer, Record, Status
from harness.errors import UnknownVerdictError

ANSWER = Answer(Status.ACKED, 1)


def record(number):
    return Record(f"r{number}", f"{number}".encode(), None)


def parts(tmp_path, *places):
    joined = JoinedLedger(tmp_path / "ledger.parquet", len(places))
    for path, of_part in zip(joined.parts, places, strict=True):
        with Ledger(path) as part:
            for place in of_part:
                part.add(record(place), ANSWER, place)
    return joined


def test_the_parts_become_what_one_process_would_have_written(tmp_path):
    with Ledger(tmp_path / "one.parquet") as one:
        for place in range(7):
            one.add(record(place), ANSWER)
    joined = parts(tmp_path, [1, 3, 6], [], [0, 2, 4, 5])
    joined.join(7, one.fingerprint)
    assert pq.read_table(joined.path).to_pylist() == pq.read_table(one.path).to_pylist()
    assert joined.fingerprint == one.fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger.parquet", "one.parquet"]


@pytest.mark.parametrize(
    ("places", "records"),
    [
        (([0, 1], [3]), 4),
        (([0, 1], [1, 3]), 4),
        (([0, 1], [1, 2]), 3),
        (([0, 1], [1, 2]), 4),
        (([0, 1], [2]), 4),
        (([0, 1], [2]), 2),
        (([], []), 1),
        (([1], [2]), 2),
    ],
)
def test_a_record_without_a_row_or_with_two_leaves_no_ledger(tmp_path, places, records):
    joined = parts(tmp_path, *places)
    with pytest.raises(UnknownVerdictError, match="it cannot be said what was offered"):
        joined.join(records, "")
    assert not joined.path.exists()
    assert all(path.exists() for path in joined.parts), "somebody may want to look"


def test_a_load_without_records_has_a_ledger(tmp_path):
    joined = parts(tmp_path, [], [])
    joined.join(0, "")
    assert pq.read_table(joined.path).num_rows == 0


def test_its_counts_are_the_sum_of_what_the_parts_told_last(tmp_path):
    joined = JoinedLedger(tmp_path / "ledger.parquet", 2)
    joined.heard(0, {Status.ACKED: 1})
    joined.heard(1, {Status.ACKED: 2, Status.REJECTED: 1})
    joined.heard(0, {Status.ACKED: 5})
    assert joined.counts == {Status.ACKED: 7, Status.REJECTED: 1}
    assert joined.offered == 8
