"""Formats of files and events, and how their records are spoilt."""
