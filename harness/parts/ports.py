"""The ports: what a scenario's source, ingress, actors, probes and checks must be able to do.

A part is a pydantic model whose fields are the keys in the scenario file, and whose `open` does the work. The engine replaces
`${outputs.NAME}` and the other references in the fields before it opens a part. Only a source is opened before there is a stack.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from harness.parts.part import Part
from harness.parts.rate import Rate, Unlimited

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.accounting.record import Observation
    from harness.accounting.verdict import Account
    from harness.emulator.clients import Clients
    from harness.emulator.emulator import Abilities
    from harness.emulator.served import ServedApis
    from harness.parts.units import Offer, Unit

Malformer = Callable[[bytes, random.Random], bytes]
"""Returns the payload, spoilt. Draws only from the given random numbers, so that the same seed spoils it in the same way."""

DUPLICATE, COPY, LATE = "duplicate", "copy", "late"
"""Record faults of every stream: `duplicate` offers a record twice, and both must be stored; `copy` offers it again behind the next 100, and one of both
must be stored; `late` offers it behind the next 100."""


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What the command says about a load. `records` is --records, `input_path` is --input and `lookup_path` is --lookup."""

    seed: int
    records: int | None = None
    input_path: Path | None = None
    lookup_path: Path | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """A deployed stack, as a part sees it.

    `clients("s3")` returns a boto3 client of the run's account. `check` raises EmulatorDiedError where the emulator is gone: call it
    in every loop that waits. `run_dir` has `ledger.parquet` and `observations.parquet` when the checks are opened."""

    clients: Clients
    outputs: Mapping[str, str]
    run_dir: Path
    check: Callable[[], None]
    allow_remote: bool = False
    started_at_s: float = 0.0
    """When the run began, in seconds since the epoch: an emulator that stays has what earlier runs left."""
    kept_for_s: float = 0.0
    """For how long what is stored must stay there."""
    template: Path | None = None
    """Of the stack that was deployed."""
    stack: str = ""
    """Its name."""
    abilities: Abilities | None = None
    """What the emulator can run; None where it does not say."""
    served: ServedApis | None = None
    """What serves paged APIs to a pipeline on AWS; None where the emulator does it."""

    @property
    def endpoint(self) -> str:
        """Returns the emulator's URL, without a slash at its end."""
        return self.clients.endpoint

    @property
    def account(self) -> str:
        """Returns the run's AWS account id."""
        return self.clients.account


class Load(Protocol):
    """The records of one run. `total` counts them, and is None where only the end of the load will tell."""

    @property
    def total(self) -> int | None: ...

    def units(self) -> Iterator[Unit]:
        """Yields the units, and yields the same ones each time: seed and input file decide, never a clock."""
        ...


@runtime_checkable
class Lookup(Protocol):
    """A load that also knows what its pipeline looks up. The harness writes the items before the load."""

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """Yields the items of a DynamoDB table; all values are text."""
        ...


class Source(Part, ABC):
    """Says which records are offered, and what is promised of each."""

    kind: str = ""
    use: str = ""
    arrival_faults: ClassVar[tuple[str, ...]] = (DUPLICATE, COPY, LATE)
    """The record faults that change when a record arrives, and that this source's records can take."""

    @property
    def malformers(self) -> Mapping[str, Malformer]:
        """Returns the malformers that record faults may name. By default there are none."""
        return {}

    @property
    def refuses_record_faults(self) -> str | None:
        """Returns why record faults cannot be combined with this source's keys, or None where they can."""
        return None

    @abstractmethod
    def open(self, context: SourceContext) -> Load:
        """Returns the load. Raises UsageError for an option or a file that this source cannot use."""

    def doubts(self, account: Account) -> Iterable[str]:  # noqa: ARG002 - a source that knows its records has no doubt
        """Returns the reasons for an unknown verdict that the account of the load gives."""
        return ()


class Sender(Protocol):
    """An open ingress. The engine passes up to `batch_size` units at a time to `send`, and closes it in every case."""

    @property
    def batch_size(self) -> int: ...

    def send(self, units: Sequence[Unit]) -> Iterable[Offer]:
        """Hands the units over and yields each of their records with its answer, in their order.

        Never raises for what the first hop does. An error that leaves open whether a record was taken is an indeterminate answer,
        and is not tried again: that could offer the record twice."""
        ...

    def close(self) -> None: ...


class Ingress(Part, ABC):
    """Hands records over to the first hop and notes each answer."""

    to: str = ""
    use: str = ""
    rate: Rate = Unlimited()
    whole_files: ClassVar[bool] = False
    """Whether `send` takes files. Otherwise the engine passes the rows of a file as single records."""
    is_fetched: ClassVar[bool] = False
    """Whether the pipeline fetches the records from here: on AWS it then needs an address at which it reaches this machine (`--served-url`)."""
    shareable: ClassVar[bool] = False
    """Whether several processes may have it open at once (`--workers`), each for other keys and other files."""

    @abstractmethod
    def open(self, context: Context) -> Sender:
        """Returns the sender. Raises UsageError for a destination that cannot be used."""

    def doubts(self, context: Context) -> Iterable[str]:  # noqa: ARG002 - a part overrides it
        """Returns, at the run's end, what the load was to meet and has not. By default there is no such thing."""
        return ()


@dataclass(frozen=True, slots=True)
class Deed:
    """What an actor has just done, in words. `entry` says which entry of its plan that was of; `refused`: the pipeline did not take it."""

    text: str
    entry: str
    refused: bool


class Actor(Part, ABC):
    """Does something that the pipeline waits for, or that happens to it.

    `meanwhile` gives the actor a turn while the engine waits for rest; `at_rest` lets it act once rest is known. Rest is awaited again
    after both."""

    kind: str = ""
    use: str = ""
    when: Literal["at_rest", "meanwhile"] = "at_rest"

    def entries(self) -> Iterable[str]:
        """Returns the entries of its plan, as its deeds name them. Each must be tried. By default there are none."""
        return ()

    @abstractmethod
    def open(self, context: Context) -> Iterator[str | Deed | None]:
        """Yields what it has just done, in words or as a deed; yields None in a turn in which it had nothing to do.

        The verdict is unknown where an actor never did anything, where an entry of its plan had no deed or refused ones alone, and where it
        raises UnknownVerdictError."""


class Probe(Part, ABC):
    """Reads one place where records may end."""

    kind: str = ""
    use: str = ""

    def begin(self, context: Context) -> None:
        """Prepares the place, before the load: what passes there may not stay. By default nothing is to be done."""

    def makes(self) -> Iterable[str]:
        """Returns in words what `begin` makes in the account. A run on AWS refuses a probe that makes something. A probe that overrides `begin` and not this method is taken to
        make something."""
        return () if type(self).begin is Probe.begin else ("what begin() makes",)

    def end(self, context: Context) -> None:
        """Removes what `begin` has made, when the run ends. By default there is nothing."""

    @abstractmethod
    def open(self, context: Context) -> Iterator[Observation]:
        """Yields every sighting there, once the pipeline is at rest. A sighting without an identity is a phantom, so yield it too."""

    def doubts(self, context: Context) -> Iterable[str]:  # noqa: ARG002 - a part overrides it
        """Returns why what was seen there may not stay for `context.kept_for_s`. By default there is no such reason."""
        return ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `text` says what was expected and what is there."""

    holds: bool
    text: str


class Check(Part, ABC):
    """A statement about the run as a whole, beside the account of its records."""

    kind: str = ""
    use: str = ""
    name: str = ""

    @abstractmethod
    def open(self, context: Context) -> Finding:
        """Returns whether the statement holds. Raises UnknownVerdictError where nothing can be said."""
