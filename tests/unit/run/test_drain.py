"""What is under way, in words."""

from __future__ import annotations

from harness.run.drain import describe


def test_what_is_under_way_is_named_and_what_is_not_is_left_out():
    activity = {
        "in_flight": {"requests": 0, "invocations": 2, "deliveries": 0},
        "streams": [{"behind": 1000}, {"behind": 234}],
        "queues": [
            {"visible": 5, "in_flight": 1, "delayed": 0, "consumed": True},
            {"visible": 99, "in_flight": 0, "delayed": 0, "consumed": False},
        ],
        "executions": 0,
    }
    assert describe(activity) == "1,234 records in streams, 6 messages in queues, 2 invocations"
    assert describe({}) == "a last look"
