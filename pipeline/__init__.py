"""The sample pipelines that the harness is proven on: one folder per system, and what they share in `delivery`."""
