"""Tells a run: terminal, result.json. Computes no verdict."""
