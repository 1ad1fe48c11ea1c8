"""One emulator for several runs, each in its own AWS account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import EmulatorDiedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.emulator import Description, Emulator


class Shared:
    """What a single run sees of an emulator that it neither starts nor stops."""

    stays = True

    def __init__(self, emulator: Emulator, description: Description) -> None:
        self._emulator = emulator
        self._description = description
        self._closed = False

    def of_one_run(self) -> Shared:
        """Returns another view of the emulator, which can be closed without this one. Where this one is closed, so is that."""
        return Shared(self, self._description)

    @property
    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Makes the next check of each run fail that still uses the emulator by this view. Called before the emulator is stopped."""
        self._closed = True

    def prepare(self, *, node: bool = False) -> Iterator[str]:  # noqa: ARG002 - whoever started it has said so
        """Does nothing: the emulator runs already."""
        yield from ()

    def start(self) -> Description:
        return self._description

    def release(self) -> None:
        """Does nothing, as `stop`."""

    def stop(self) -> None:
        """Does nothing: other runs still use the emulator."""

    def check(self) -> None:
        """Raises EmulatorDiedError where the emulator has ended, or been ended."""
        if self._closed:
            message = "the shared emulator has been stopped"
            raise EmulatorDiedError(message)
        self._emulator.check()
