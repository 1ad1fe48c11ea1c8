"""Drafts a scenario for a template that has none: what goes in where, what it looks like, and where it may end."""
