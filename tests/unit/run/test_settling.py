"""On AWS a pipeline is at rest once nothing that can be seen has changed for a while, and never before."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from harness.aws.rest import Seen
from harness.run import settling
from harness.run.drain import Rest

SETTLE_S, TIMEOUT_S = 10, 60
CONTEXT = SimpleNamespace(clients=None, stack="pp-own", started_at_s=0.0)


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def settled(looks, at=lambda: (), not_before_s=0):
    """What `settle` says where AWS tells this, look for look (the last one again and again), and how long that took."""
    clock, told = Clock(), list(looks)

    def look(*, fresh=False):
        if fresh and clock.now - 100.0 < not_before_s:
            return Seen({}, ("news",))
        found = told.pop(0) if len(told) > 1 else told[0]
        if isinstance(found, Exception):
            raise found
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settling, "time", clock)
        patch.setattr(settling, "Watch", lambda *_: SimpleNamespace(look=look))
        patch.setattr(settling, "settle_time_s", lambda *_: SETTLE_S)
        steps = list(settling.settle(CONTEXT, None, TIMEOUT_S, at))
    assert [step for step in steps[:-1] if isinstance(step, Rest)] == []
    return steps[-1], clock.now - 100.0


QUIET = Seen({}, (1,))
LOOKS_IN_A_TIME = 20
# Too few to be at rest within them.
LOOKS = st.lists(st.builds(Seen, st.sampled_from([{}, {"messages in queues": 2}]), st.tuples(st.integers(0, 2))), max_size=15)


@given(LOOKS)
def test_rest_is_known_once_nothing_has_changed_for_so_long(looks):
    looks = [*looks, QUIET]
    rest, took_s = settled(looks)
    assert rest.known
    changes = [place for place in range(1, len(looks)) if looks[place].under_way or looks[place].marks != looks[place - 1].marks]
    assert took_s == pytest.approx((max(changes, default=0) + LOOKS_IN_A_TIME) * SETTLE_S / LOOKS_IN_A_TIME)


def test_what_never_rests_is_a_doubt_that_says_what_is_under_way():
    rest, _ = settled([Seen({"messages in queues": 3, "executions": 1}, (4,))])
    assert not rest.known
    assert "3 messages in queues, 1 executions" in rest.doubt
    changing = [Seen({}, (number,)) for number in range(1000)]
    rest, took_s = settled(changing)
    assert not rest.known
    assert "something changed within the last 10 s" in rest.doubt
    assert took_s > TIMEOUT_S


def test_metrics_that_came_since_the_last_look_begin_it_anew():
    rest, took_s = settled([QUIET], not_before_s=SETTLE_S + 1)
    assert rest.known
    assert took_s > 2 * SETTLE_S


def test_what_aws_does_not_say_is_a_doubt():
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetMetricData")
    rest, _ = settled([QUIET, denied])
    assert not rest.known
    assert "AWS does not say what is under way" in rest.doubt
    assert "GetMetricData" in rest.doubt


def test_actors_have_their_turns():
    turns = []
    settled([QUIET], lambda: turns.append(1) or ())
    assert len(turns) > 10
