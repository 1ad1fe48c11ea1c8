"""Probes: where records end."""
