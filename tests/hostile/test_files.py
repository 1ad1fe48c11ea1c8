"""Two hundred cases of each target that reads files; `tox -e hostile -- 2000` makes more, and requests too."""

import pytest

from tests.hostile.attack import Attack
from tests.hostile.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_is_read_ends_in_a_traceback_or_takes_long(name):
    attack = Attack(cases=200, draw=1)
    attack.on_files(name, TARGETS[name])
    assert not attack.found, "\n".join(attack.found)


def test_an_attack_finds_what_raises_takes_long_and_what_it_needs_is_counted():
    attack = Attack(cases=2, draw=1)
    attack.on("raises", lambda _: 1 / 0)
    assert "ZeroDivisionError" in attack.found[0]
    assert "raises seed 2" in attack.found[1]
    assert attack.summary.startswith("2 cases, 2 found")
