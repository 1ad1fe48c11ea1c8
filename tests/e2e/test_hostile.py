"""A hundred requests of each kind to a live emulator, and what it answers after them."""

import pytest

from tests.hostile.attack import Attack
from tests.hostile.requests import Requests


@pytest.mark.parametrize("name", ["requests", "control_routes"])
def test_an_emulator_answers_after_whatever_comes(emulator, name):
    requests = Requests(emulator.endpoint)
    attack = Attack(cases=100, draw=1)
    attack.on(name, getattr(requests, name))
    assert not attack.found, "\n".join(attack.found)
