"""Hypothesis: no deadlines (a busy machine is not a defect)."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("pipeproof", deadline=None)
settings.load_profile("pipeproof")
