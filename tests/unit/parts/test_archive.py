"""The archive holds what was uploaded, byte for byte, as often as it was uploaded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.record import Answer, Observation, Outcome, Record, Status, payload_hash
from harness.errors import UnknownVerdictError
from harness.parts.checks.archive import Archive
from tests.loads import context
from tests.unit.parts.places import Bucket, Places

FILES = {"in/a.csv@1": b"id\n1\n", "in/b.csv@1": b"id\n2\n", "in/a.csv@2": b"id\n1\n"}


def found(tmp_path, objects, *, stored=tuple(FILES), shard=True, given_up=()):
    with Ledger(tmp_path / "ledger.parquet") as ledger:
        for upload, body in FILES.items():
            answer = Answer(Status.ACKED, 1, upload, "2", file_hash=payload_hash(body))
            ledger.add(Record(upload, b"row", b"{}"), answer)
    seen = [Observation(Outcome.STORED, "t", upload, upload if shard else None) for upload in stored]
    seen += [Observation(Outcome.ALERTED, "q", None, upload, sequence) for upload, sequence in given_up]
    write_observations(tmp_path / "observations.parquet", seen)
    places = Places(s3=Bucket({key: (body, {}) for key, body in objects.items()}))
    return Archive(bucket="b", prefix="done/").open(replace(context(places), run_dir=tmp_path))


def test_each_upload_is_there(tmp_path):
    kept = {"done/1": b"id\n1\n", "done/2": b"id\n2\n", "done/3": b"id\n1\n"}
    assert found(tmp_path, kept).holds
    assert found(tmp_path, kept).text == "all of 3 uploads with a stored record are archived byte for byte"


@pytest.mark.parametrize(
    "objects",
    [
        {"done/1": b"id\n1\n", "done/2": b"id\n2\n"},
        {"done/1": b"id\n1\n", "done/2": b"", "done/3": b"id\n1\n"},
        {"done/1": b"id\n1\n", "done/2": b"id\n2", "done/3": b"id\n1\n"},
        {"done/1": b"id\n1\n", "elsewhere/2": b"id\n2\n", "done/3": b"id\n1\n"},
    ],
    ids=["once of two", "empty", "cut off", "elsewhere"],
)
def test_one_that_is_missing_or_different_is_named(tmp_path, objects):
    finding = found(tmp_path, objects)
    assert not finding.holds
    assert finding.text.startswith("1 of 3 uploads with a stored record are not below done/ byte for byte: in/")


def test_a_file_of_which_nothing_was_stored_need_not_be_archived(tmp_path):
    assert found(tmp_path, {"done/1": b"id\n1\n"}, stored=["in/a.csv@1"]).holds
    assert found(tmp_path, {}, stored=[]).holds
    with pytest.raises(UnknownVerdictError, match="no stored record names the file that it is of"):
        found(tmp_path, {}, shard=False)


def test_a_file_that_was_given_up_as_a_whole_need_not_be_archived(tmp_path):
    kept = {"done/1": b"id\n1\n", "done/3": b"id\n1\n"}
    assert found(tmp_path, kept, given_up=[("in/b.csv@1", None)]).holds
    assert not found(tmp_path, kept, given_up=[("in/a.csv@1", None)]).holds
    assert not found(tmp_path, kept, given_up=[("in/b.csv@1", "2")]).holds, "one of its rows was given up"
    assert found(tmp_path, {}, given_up=[(upload, None) for upload in FILES]).holds
