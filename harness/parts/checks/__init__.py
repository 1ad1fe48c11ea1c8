"""Checks: statements about a run as a whole."""
