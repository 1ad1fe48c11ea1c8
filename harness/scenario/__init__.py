"""Scenario files: YAML, checked into frozen models. An unknown key is an error, with its file, line and the keys there are."""
