"""Probes: each reads one place where records may end."""
