"""Seeded fuzzers of all that a stranger's file, run directory or request may be."""
