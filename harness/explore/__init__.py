"""Searches for schedules of faults that lose a record. Documented in docs/explore.md."""
