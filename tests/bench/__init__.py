"""Benchmarks: medians with their spread, and ratios to the floor."""
