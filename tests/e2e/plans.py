"""Arming faults by hand, and what they are tried on."""

from __future__ import annotations

from harness.faults.plan import load, named


def arm(gateway, *faults):
    gateway.arm(named(load(list(faults)), seed=1))


def fired(gateway):
    return {entry["id"]: len(entry["firings"]) for entry in gateway.log()}


def queue(clients, name="queue"):
    return clients("sqs").create_queue(QueueName=name)["QueueUrl"]
