"""What cannot be proved is told before anything starts."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.run.prove import Case, prove


class Emulator:
    """One that must not be started."""

    def prepare(self):
        raise AssertionError

    def stop(self):
        raise AssertionError


def test_a_scenario_that_needs_a_file_is_refused_before_anything_starts(tmp_path):
    todo = [Case("clickstream-smoke", None), Case("logs-replay", None)]
    with pytest.raises(UsageError, match="--input"):
        list(prove(todo, Emulator(), tmp_path, 1, print, lambda *_: pytest.fail("a run was made")))
