"""What a command is at: each step in a plain log, and a line that changes on a terminal."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from harness.report.progress import progress


def said(*texts, every_s=0, terminal=False):
    file = io.StringIO()
    with progress(Console(file=file, force_terminal=terminal, width=40), every_s) as tell:
        for text in texts:
            tell(text)
    return file.getvalue()


@pytest.mark.parametrize(
    ("every_s", "expected"),
    [(0, "  … building [/x]\n  … deploying\n"), (math.inf, "  … building [/x]\n")],
    ids=["all", "the first"],
)
def test_a_plain_log_has_what_is_told(every_s, expected):
    assert said("building [/x]", "deploying", every_s=every_s) == expected


def test_a_terminal_has_no_lines_of_it():
    assert "  … " not in said("building [/x]", "deploying", terminal=True)
