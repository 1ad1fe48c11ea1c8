"""Actors: what happens to a pipeline from outside."""
