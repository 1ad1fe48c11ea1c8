"""What the ledger says of itself holds whenever a run is interrupted."""

from __future__ import annotations

import pytest

from harness.accounting.ledger import Ledger
from harness.accounting.record import Answer, Record, Status
from harness.accounting.verdict import Account, Ingress


@pytest.mark.parametrize("at", ["sha256", "row"])
def test_an_interrupt_while_a_record_is_noted_leaves_an_account_that_balances(tmp_path, monkeypatch, at):
    def interrupted(*_):
        raise KeyboardInterrupt

    ledger = Ledger(tmp_path / "ledger.parquet")
    record, answer = Record("id", b"payload", None), Answer(Status.ACKED, 0)
    ledger.add(record, answer)
    if at == "row":
        monkeypatch.setattr(ledger._table, "add", interrupted)
    else:
        monkeypatch.setattr("harness.accounting.ledger.payload_hash", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ledger.add(record, answer)
    counts = ledger.counts
    account = Account(Ingress(ledger.offered, counts[Status.ACKED], counts[Status.INDETERMINATE], counts[Status.REJECTED]))
    assert account.ingress.offered in {1, 2}
