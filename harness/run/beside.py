"""What goes on in the emulator beside a run: permissions are checked, and a journal is kept of what everything carried."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.emulator.permissions import PermissionsClient
from harness.emulator.plugin import begin_journal, begin_order, end_journal, not_kept
from harness.errors import UnknownVerdictError
from harness.run import events
from harness.run.journal import JOURNAL
from harness.run.trace import renamed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.emulator.emulator import Description
    from harness.emulator.permissions import Mode


class Beside:
    """For one run: its emulator, its account and its directory; on AWS there is nothing of it. `names` maps physical names to those of the template, once there are any."""

    def __init__(self, place: Description, account: str, run_dir: Path, mode: Mode) -> None:
        self._endpoint, self._account, self._run_dir = place.endpoint, account, run_dir
        self._is_aws = place.aws
        # AWS enforces permissions itself, and does not report what it has denied.
        self._mode: Mode = "off" if place.aws else mode
        self._permissions = PermissionsClient(place.endpoint, account)
        self._journal = False
        self._repeats = False
        self.names: Mapping[str, str] = {}

    def begin(self) -> tuple[str, ...]:
        """Begins all of it. Returns a doubt where the endpoint cannot check permissions, and the scenario says enforce."""
        if self._is_aws:
            return ()
        # A run does not depend on its journal: without one, the way of a record is not told.
        with contextlib.suppress(UnknownVerdictError):
            begin_journal(self._endpoint, self._account)
            self._journal = True
        try:
            self._permissions.begin(self._mode)
        except UnknownVerdictError as error:
            return (f"permissions are not enforced: {error}",) if self._mode == "enforce" else ()
        return ()

    def repeat(
        self, batches: Sequence[Mapping[str, Any]], writes: Sequence[Mapping[str, Any]], physical: Mapping[str, str]
    ) -> None:
        """Lets streams and their mappings repeat the batches of an earlier run, and functions the order of their writes; ends what an earlier
        replay has left."""
        if self._is_aws:
            return
        here = [
            {
                **one,
                "stream": physical.get(one["stream"], one["stream"]),
                "function": physical.get(one["function"], one["function"]),
            }
            for one in batches
        ]
        places = [{**one, "place": _with_bucket(one["place"], physical)} for one in writes]
        with contextlib.suppress(UnknownVerdictError):
            begin_order(self._endpoint, self._account, here, places)
            self._repeats = bool(here or places)

    def end_journal(self) -> None:
        """Fetches the journal, once."""
        if self._journal:
            self._journal = False
            with contextlib.suppress(UnknownVerdictError):
                end_journal(self._endpoint, self._account, self._run_dir / JOURNAL)

    def end(self) -> tuple[events.Permissions | None, tuple[str, ...]]:
        """Ends all of it, whatever became of the run: a denied call may be why. Returns what was denied, and the shards and objects
        that did not keep the order of the earlier run."""
        self.end_journal()
        permissions: events.Permissions | None = None
        given_up: tuple[str, ...] = ()
        with contextlib.suppress(UnknownVerdictError):
            if self._repeats:
                given_up = not_kept(self._endpoint, self._account)
                begin_order(self._endpoint, self._account, [], [])
        if self._mode != "off":
            with contextlib.suppress(UnknownVerdictError):
                denied = self._permissions.denied()
                self._permissions.begin("off")
                told = (replace(one, who=renamed(one.who, self.names), why=renamed(one.why, self.names)) for one in denied)
                permissions = events.Permissions(self._mode, tuple(told))
        return permissions, tuple(renamed(shard, self.names) for shard in given_up)


def _with_bucket(place: str, names: Mapping[str, str]) -> str:
    bucket, _, key = place.partition("/")
    return f"{names.get(bucket, bucket)}/{key}"
