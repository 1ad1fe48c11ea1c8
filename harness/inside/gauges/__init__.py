"""Gauges: what is under way in each service, so that a drain knows rest and need not guess it. One file per service."""
