"""What came out: ledger, probes, reconcile, verdict."""
