"""Handlers of functions that several systems have."""
