"""The faults of one run: armed after the deployment, ended before the recovery, and reported in faults.json."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from harness.emulator.faults import FaultClient
from harness.errors import UnknownVerdictError
from harness.faults.plan import RecordFault, SettingFault, dump, resolved
from harness.run.record_faults import FaultyLoad
from harness.run.setting_faults import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.emulator.clients import Clients
    from harness.faults.plan import Fault, Plan
    from harness.parts.ports import Load


class FaultRun:
    """The faults of a run. `log` is what the emulator reports of each service and Lambda fault (harness/inside/faults/armed.py), `ended_ms` when those that are no faults of
    records ended, in milliseconds since the epoch; None where there were none."""

    def __init__(self, plan: Plan, load: Load, clients: Clients) -> None:
        self.plan = plan
        self._load = load
        self._clients = clients
        self._client = FaultClient(clients.endpoint, clients.account)
        self.armed = False
        self._in_emulator = False
        self._settings: Settings | None = None
        self.log: list[dict[str, Any]] = []
        self.ended_ms: int | None = None

    def arm(self, physical: Mapping[str, str]) -> None:
        """Arms the service and Lambda faults, and makes the settings, with the stack's physical names. The load carries the record faults."""
        plan = resolved(self.plan, physical)
        settings = tuple(fault for fault in plan if isinstance(fault, SettingFault))
        plan = tuple(fault for fault in plan if not isinstance(fault, SettingFault))
        # Each is set before the answer comes: what was armed and not answered must be ended, too.
        if settings:
            self._settings = Settings(settings, self._clients)
            self.armed = True
            self._settings.make()
        if plan:
            self.armed = self._in_emulator = True
            self._client.arm(plan)

    def clear(self) -> None:
        """Ends the faults that a killed run left armed in the account, on an endpoint that stays."""
        with contextlib.suppress(UnknownVerdictError):
            self._client.arm(())
            self._client.disarm()

    def end(self) -> None:
        """Ends all faults. Raises UnknownVerdictError where another run has armed its own in this account meanwhile."""
        # A run ends them once more when it is over, whatever became of it. Faults of records end with the load.
        if self.armed:
            self.ended_ms = int(time.time() * 1000)
        try:
            if self._settings is not None:
                self._settings.take_back()
        finally:
            if self._in_emulator:
                self.log = self._client.disarm()
                self._in_emulator = False
        self.armed = False

    def has_unmet(self) -> bool:
        """Returns whether a fault that is armed in the emulator has met nothing yet. One that only counts never does, and is left out."""
        counting = {fault.id for fault in self.plan if fault.window.is_out_of_reach}
        return self._in_emulator and not all(entry["firings"] for entry in self._client.log() if entry["id"] not in counting)

    def count(self) -> tuple[str, ...]:
        """Asks what the settings have met, once the pipeline is at rest. Returns a doubt for each that cannot be asked about."""
        return self._settings.count() if self._settings is not None else ()

    def abandon(self) -> None:
        """Ends the faults of a run that broke off: an emulator that stays must not keep them."""
        with contextlib.suppress(UnknownVerdictError, ClientError, BotoCoreError):
            self.end()

    def results(self) -> tuple[dict[str, Any], ...]:
        """Returns {id, kind, planned, seen, fired} per fault, in the plan's order; `planned` is None for a window without an end, `seen` (how
        many events its address had) for a record fault. In a replay the parts of a fault are one."""
        found: dict[str, dict[str, Any]] = {}
        for fault, seen, fired in self._parts():
            planned = fault.window.planned(fault.seed)
            known = found.get(fault.whole)
            if known is None:
                found[fault.whole] = {"id": fault.whole, "kind": fault.kind, "planned": planned, "seen": seen, "fired": fired}
            else:
                known["planned"] = None if planned is None or known["planned"] is None else known["planned"] + planned
                known["seen"] = None if seen is None else known["seen"] + seen
                known["fired"] += fired
        return tuple(found.values())

    def _parts(self) -> Iterator[tuple[Fault, int | None, int]]:
        """Yields each fault of the plan, with how many events its address had, and how many of them it met."""
        fired = {entry["id"]: len(entry["firings"]) for entry in self.log}
        seen = {entry["id"]: entry["seen"] for entry in self.log}
        if isinstance(self._load, FaultyLoad):
            fired |= self._load.fired
        if self._settings is not None:
            fired |= self._settings.counts
        for fault in self.plan:
            yield fault, seen.get(fault.id), fired.get(fault.id, 0)

    def doubts(self) -> tuple[str, ...]:
        """Returns a reason per fault that never fired, or that did not in a part: what it expected, and how many such events came."""
        missing: dict[str, list[tuple[Fault, int | None]]] = {}
        for fault, seen, fired in self._parts():
            if not fired:
                missing.setdefault(fault.whole, []).append((fault, seen))
        parts = Counter(fault.whole for fault in self.plan)
        reasons = []
        for name, of_it in missing.items():
            fault, seen = of_it[0]
            never = "never fired" if parts[name] == 1 else f"did not fire at {len(of_it):,} of {parts[name]:,} events"
            came = "" if isinstance(fault, RecordFault | SettingFault) else f"; {seen or 0} such events came"
            reasons.append(f"fault {name} ({fault.kind}) {never}: expected {fault.expects}{came}")
        return tuple(reasons)

    def met(self, shard: str | None, sequence: str | None) -> str:
        """Returns in words which faults met a batch with this record; empty where none did."""
        if shard is None or sequence is None or not sequence.isdecimal():
            return ""
        number = int(sequence)
        whole = {fault.id: fault.whole for fault in self.plan}
        ids = dict.fromkeys(
            whole[entry["id"]]
            for entry in self.log
            for firing in entry["firings"]
            if (batch := firing.get("batch")) and batch["shard"] == shard and int(batch["first"]) <= number <= int(batch["last"])
        )
        return f"; met {', '.join(ids)}" if ids else ""

    def write(self, path: Path) -> None:
        """Writes faults.json: the plan, what fired, and when the faults ended."""
        document = {"plan": dump(self.plan), "fired": self.log, "results": self.results(), "ended_ms": self.ended_ms}
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
