"""The faults of one run: armed after the deployment, ended before the recovery, and told in faults.json."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from harness.errors import UnknownVerdictError
from harness.faults.client import FaultGateway
from harness.faults.plan import RecordFault, dump, resolved
from harness.load.faulty import FaultySource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.faults.plan import Plan
    from harness.load.source import Source


class FaultRun:
    """`log` is what the gateway says of each service and Lambda fault (harness/inside/faults/armed.py)."""

    def __init__(self, plan: Plan, source: Source, endpoint: str, account: str) -> None:
        self._plan = plan
        self._source = source
        self._gateway = FaultGateway(endpoint, account)
        self.armed = False
        self.log: list[dict[str, Any]] = []

    def arm(self, physical: Mapping[str, str]) -> None:
        """Arms what the gateway has to do, with the stack's names; record faults are the source's."""
        plan = resolved(self._plan, physical)
        if plan:
            # Before the answer: a plan that was armed without one must be disarmed too.
            self.armed = True
            self._gateway.arm(plan)

    def clear(self) -> None:
        """Ends what a killed run has left armed in the account, on an endpoint that stays."""
        with contextlib.suppress(UnknownVerdictError):
            self._gateway.arm(())
            self._gateway.disarm()

    def end(self) -> None:
        """Ends all faults. Raises UnknownVerdictError where another run has taken the account: its faults are not ours."""
        if self.armed:
            self.log = self._gateway.disarm()
            self.armed = False

    def abandon(self) -> None:
        """For a run that broke off: an emulator that stays must not keep its faults."""
        with contextlib.suppress(UnknownVerdictError):
            self.end()

    def results(self) -> tuple[dict[str, Any], ...]:
        """{id, kind, planned, fired} of each fault, in the plan's order; `planned` is None for a window without an end."""
        fired = {entry["id"]: len(entry["firings"]) for entry in self.log}
        if isinstance(self._source, FaultySource):
            fired |= self._source.fired
        return tuple(
            {"id": f.id, "kind": f.kind, "planned": f.window.planned(f.seed), "fired": fired.get(f.id, 0)} for f in self._plan
        )

    def doubts(self) -> tuple[str, ...]:
        """A fault that never fired has proven nothing: what was expected, and how often its address was met at all."""
        seen = {entry["id"]: entry["seen"] for entry in self.log}
        return tuple(
            f"fault {fault.id} ({fault.kind}) never fired: expected {fault.expects}"
            + ("" if isinstance(fault, RecordFault) else f"; {seen.get(fault.id, 0)} such events came")
            for fault, result in zip(self._plan, self.results(), strict=True)
            if not result["fired"]
        )

    def met(self, shard: str | None, sequence: str | None) -> str:
        """The faults that met a batch with this record, in words; empty where there are none."""
        if shard is None or sequence is None:
            return ""
        number = int(sequence)
        ids = dict.fromkeys(
            entry["id"]
            for entry in self.log
            for firing in entry["firings"]
            if (batch := firing.get("batch")) and batch["shard"] == shard and int(batch["first"]) <= number <= int(batch["last"])
        )
        return f"; met {', '.join(ids)}" if ids else ""

    def write(self, path: Path) -> None:
        """faults.json: the plan, and what fired."""
        document = {"plan": dump(self._plan), "fired": self.log, "results": self.results()}
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
