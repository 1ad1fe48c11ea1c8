"""Checked by mypy, and never run: what a user's part may rely on has these types, and what it gets wrong is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_type

from harness.api import (
    Actor,
    Answer,
    Check,
    Context,
    File,
    Finding,
    Ingress,
    Load,
    Lookup,
    Malformer,
    Observation,
    Offer,
    Outcome,
    Probe,
    Record,
    Sender,
    Source,
    SourceContext,
    Status,
    Unit,
    payload_hash,
    records,
)


class OwnLoad:
    @property
    def total(self) -> int | None:
        return 2

    def units(self) -> Iterator[Unit]:
        yield Record("id", b"payload", b"{}")
        yield File("name", lambda: iter([Record("id", b"payload", None, "spoilt")]))

    def lookup(self) -> Iterator[Mapping[str, str]]:
        yield {"key": "value"}


class OwnSource(Source):
    count: int = 2

    @property
    def malformers(self) -> Mapping[str, Malformer]:
        return {"empty": lambda payload, rng: payload[: rng.randrange(1)]}

    def open(self, context: SourceContext) -> Load:
        assert_type(context.seed, int)
        assert_type(context.records, int | None)
        return OwnLoad()


class OwnSender:
    batch_size = 1

    def send(self, units: Sequence[Unit]) -> Iterator[Offer]:
        for record in records(units):
            assert_type(record, Record)
            assert_type(record.key, str)
            yield record, Answer(Status.ACKED, 0)

    def close(self) -> None:
        pass


class OwnIngress(Ingress):
    def open(self, context: Context) -> Sender:
        assert_type(context.outputs, Mapping[str, str])
        assert_type(context.endpoint, str)
        return OwnSender()


class OwnActor(Actor):
    def open(self, context: Context) -> Iterator[str | None]:
        context.check()
        yield "acted"


class OwnProbe(Probe):
    def open(self, context: Context) -> Iterator[Observation]:
        yield Observation(Outcome.STORED, f"here {context.account}", payload_hash=payload_hash(b"x"))


class OwnCheck(Check):
    def open(self, context: Context) -> Finding:
        return Finding(holds=context.run_dir.is_dir(), text="text")


class WrongProbe(Probe):
    def open(self, context: Context) -> int:  # type: ignore[override]
        return 1


class WrongSource(Source):
    def open(self, context: SourceContext) -> Load:
        return 1  # type: ignore[return-value]


lookup: Lookup = OwnLoad()
Answer("acked", 0)  # type: ignore[arg-type]
Record(1, b"", None)  # type: ignore[arg-type]
