"""The run on the terminal: live progress where there is one, a plain line now and then where there is not."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from harness.accounting.verdict import Judgement
from harness.report.said import said
from harness.run import events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.accounting.verdict import Example
    from harness.emulator.emulator import Description

_PLAIN_EVERY_S = 5.0
_CAUSES_SHOWN = 3
_EXAMPLES_SHOWN = 5
_LOG_SHOWN = 300
_STYLE = {Judgement.PASS: "bold green", Judgement.FAIL: "bold red", Judgement.UNKNOWN: "bold yellow"}


class Terminal:
    """Shows a run. It is a context manager, and `show` takes every event. With `quiet` it shows the verdict alone, and why it is not a pass."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._phase = ""
        self._phase_began = 0.0
        self._ended = threading.Event()
        self._progress = (
            Progress(
                SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
            )
            if console.is_terminal and not quiet
            else None
        )
        self._task = None if self._progress is None else self._progress.add_task("starting", total=None)
        self._said_at = time.monotonic()

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        elif not self._quiet:
            threading.Thread(target=self._remind, name="reminder", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._progress is not None:
            self._progress.stop()

    def show(self, event: events.Event) -> None:
        """Shows an event."""
        if not self._quiet or isinstance(event, events.RunFinished):
            self._show(event)

    def _show(self, event: events.Event) -> None:  # noqa: C901 - one case per event
        match event:
            case events.RunStarted():
                self._say(f"[bold]{event.scenario}[/] seed {event.seed}: {escape(event.description)}")
                self._say(f"  run directory  {escape(str(event.run_dir))}")
                self._say(f"  emulator       {escape(event.emulator_choice)}")
            case events.PhaseStarted():
                self._phase, self._phase_began = event.text, time.monotonic()
                self._step(f"{event.phase}: {event.text}", None, None)
            case events.EmulatorPreparing():
                self._step(event.step, None, None)
            case events.EmulatorReady(emulator=emulator):
                self._say(f"                 {_named(emulator)}, {event.start_s:.1f} s")
            case events.StackDeployed():
                self._say(f"  stack          deployed in {event.deploy_s:.1f} s")
                if event.runtimes:
                    replaced = ", ".join(f"{named} on {python}" for named, python in sorted(event.runtimes.items()))
                    self._say(f"                 runs {replaced} (--strict-runtime refuses that)")
                for one in event.ignored:
                    self._say(f"                 without {escape(one)}")
            case events.LoadProgress():
                self._step(_loading(event), event.offered, event.total)
            case events.DrainProgress():
                self._step(f"drain: {event.waiting_for}", None, None)
            case events.ActorActed():
                self._say(f"  {event.actor:<14} {escape(event.text)}")
            case events.CheckFinished():
                self._say(
                    f"  check          {escape(event.check)}: {'holds' if event.holds else 'does not hold'}; {escape(event.text)}"
                )
            case events.RunFinished():
                self._finish(event)

    def _remind(self) -> None:
        """Says now and then what a run is at, where no event does: a deployment may take a minute."""
        while not self._ended.wait(1):
            if text := self._reminder(time.monotonic()):
                self._said_at = time.monotonic()
                self._say(text)

    def _reminder(self, now_s: float) -> str:
        """Returns what is to be said when nothing was for a while; nothing before."""
        if not self._phase or now_s - self._said_at <= _PLAIN_EVERY_S:
            return ""
        return f"  … {escape(self._phase)}, for {now_s - self._phase_began:.0f} s"

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def _step(self, text: str, completed: int | None, total: int | None) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=escape(text), completed=completed, total=total)
        elif time.monotonic() - self._said_at > _PLAIN_EVERY_S:
            self._said_at = time.monotonic()
            self._say(f"  … {escape(text)}")

    def _finish(self, finished: events.RunFinished) -> None:
        self._ended.set()
        if self._progress is not None:
            self._progress.stop()
        for line in verdict_alone(finished) if self._quiet else summary(finished):
            self._say(line)


def _named(emulator: Description) -> str:
    name = emulator.name if emulator.name != "unknown" else ""
    where = f"at {emulator.endpoint}" if emulator.endpoint else ""
    return " ".join(filter(None, [emulator.kind, name, emulator.version or emulator.region, where]))


def _loading(event: events.LoadProgress) -> str:
    total = f" of {event.total:,}" if event.total else ""
    refused = f", {event.rejected:,} rejected" if event.rejected else ""
    return f"load: {event.offered:,}{total} offered{refused}"


def _fault(fault: Mapping[str, Any]) -> str:
    planned = "" if fault["planned"] is None else f" of {fault['planned']:,}"
    return f"{fault['id']} fired {fault['fired']:,}{planned}"


def _way(example: Example) -> list[str]:
    """Returns where the record was last, and what the function logged then."""
    if not example.last:
        return []
    # A function logs about all records of its batch. Where no line names this one, the line of another may tell why the batch failed.
    logged = [
        f"      {'log:  ' if example.record_id in line else 'log, which does not name it: '}{escape(line[:_LOG_SHOWN])}"
        for line in said(example.log, example.record_id)[-1:]
    ]
    return [f"      last: {escape(example.last)}", *logged]


def _causes(finished: events.RunFinished) -> list[str]:
    """Returns what failed most often, as lines: all that did where the run does not pass, else what no planned fault explains."""
    is_pass = finished.verdict.judgement is Judgement.PASS
    shown = [cause for cause in finished.causes if not is_pass or cause.count > cause.planned]
    lines = []
    for cause in shown[:_CAUSES_SHOWN]:
        planned = f", {cause.planned:,} of them by planned faults" if cause.planned else ""
        first = f"; first with {cause.record}" if cause.record else ""
        lines.append(f"    {cause.count:>7,} x {escape(cause.who)}: {escape(cause.error)}{planned}{escape(first)}")
    more = len(shown) - _CAUSES_SHOWN
    return ["  failures", *lines, *([f"    … {more:,} more; result.json has them"] if more > 0 else [])] if lines else []


def _denied(permissions: events.Permissions | None) -> list[str]:
    """Returns what the policies did not allow, as lines."""
    if permissions is None or not permissions.denied:
        return []
    said = "denied" if permissions.mode == "enforce" else "AWS would deny these calls (iam: enforce denies them here too)"
    lines = [f"  permissions    {said}:", *(f"    {escape(str(one))}" for one in permissions.denied[:_EXAMPLES_SHOWN])]
    more = len(permissions.denied) - _EXAMPLES_SHOWN
    return [*lines, f"    … {more:,} more; result.json has them"] if more > 0 else lines


def _classes(classes: events.Classes) -> list[str]:
    """Returns which classes of inputs were offered, as lines."""
    had, missing = len(classes.exercised), classes.not_exercised
    if not had and not missing:
        return []
    named = ", ".join(missing[:_EXAMPLES_SHOWN]) + (
        f" and {len(missing) - _EXAMPLES_SHOWN:,} more" if len(missing) > _EXAMPLES_SHOWN else ""
    )
    lines = [f"  classes        {had:,} of {had + len(missing):,} exercised" + (f"; not: {escape(named)}" if missing else "")]
    return [*lines, f"  note           {escape(classes.note)}"] if classes.note else lines


def summary(finished: events.RunFinished) -> list[str]:
    """Returns the end of a run as lines of rich markup: failure first, then where the records ended, then how to see it again."""
    account, timing, verdict = finished.account, finished.timing, finished.verdict
    lines = [""]
    if verdict.judgement is not Judgement.PASS:
        lines += [f"[{_STYLE[verdict.judgement]}]{escape(reason)}[/]" for reason in verdict.reasons]
        for name, found in account.examples.items():
            lines.append(f"  {name}:")
            for example in found[:_EXAMPLES_SHOWN]:
                lines.append(f"    {escape(example.record_id)}  {escape(example.why)}; {escape(example.last_seen)}")
                lines += _way(example)
            if account.anomalies[name] > _EXAMPLES_SHOWN:
                lines.append(f"    … {account.anomalies[name] - _EXAMPLES_SHOWN:,} more; result.json has up to 100")
        lines.append("")
    i, o = account.ingress, account.outcome
    lines.append(
        f"  offered        {i.offered:>10,}   acked {i.acked:,}, rejected {i.rejected:,}, indeterminate {i.indeterminate:,}"
    )
    if account.reconciled:
        lines += [
            f"  stored         {o.stored:>10,}" + (f"   {o.recovered:,} of them without an ack" if o.recovered else ""),
            f"  dead-lettered  {o.dead_lettered:>10,}",
            f"  alerted        {o.alerted:>10,}",
            f"  rejected       {o.rejected:>10,}",
        ]
        seldom = (("filtered", o.filtered), ("unacknowledged", o.unacknowledged))
        lines += [f"  {name:<14} {count:>10,}" for name, count in seldom if count]
        anomalies = ", ".join(f"{name} {count:,}" for name, count in account.anomalies.items())
        lines.append(f"  anomalies      {anomalies}")
    else:
        lines.append("  outcome        not known")
    if finished.faults:
        lines.append(f"  faults         {', '.join(_fault(fault) for fault in finished.faults)}")
    lines += _causes(finished)
    lines += _classes(finished.classes)
    lines += _denied(finished.permissions)
    latency = account.latency
    if latency.p50 is not None:
        lines.append(f"  latency        p50 {latency.p50:.2f} s, p95 {latency.p95:.2f} s, max {latency.max:.2f} s")
    lines.append(
        f"  time           start {timing.start_s:.1f} s, deploy {timing.deploy_s:.1f} s, load {timing.load_s:.1f} s, "
        f"drain {timing.drain_s:.1f} s, total {timing.total_s:.1f} s; {timing.records_per_s:,.0f} records/s"
    )
    lines += _left(finished)
    lines += ["", f"[{_STYLE[verdict.judgement]}]{verdict.judgement.upper()}[/]  {escape(str(finished.run_dir))}/result.json"]
    if verdict.judgement is not Judgement.PASS:
        lines.append(f"Reproduce with: {escape(finished.command)}")
    return lines


def verdict_alone(finished: events.RunFinished) -> list[str]:
    """Returns the verdict, its reasons, and what AWS would deny, as lines of rich markup."""
    judgement = finished.verdict.judgement
    lines = [f"[{_STYLE[judgement]}]{judgement.upper()}[/]  {escape(finished.scenario)}  {escape(str(finished.run_dir))}"]
    reasons = [f"  {escape(reason)}" for reason in finished.verdict.reasons]
    return [*lines, *reasons, *_denied(finished.permissions), *_left(finished)]


def _left(finished: events.RunFinished) -> list[str]:
    """Returns what is still in the account, and costs something."""
    if not finished.left:
        return []
    assert finished.emulator is not None
    lines = ["[bold red]  LEFT on AWS[/]", *(f"    {escape(one)}" for one in finished.left)]
    return [
        *lines,
        f"    `pipeproof sweep` tells stacks again, and removes them with --delete (--region {finished.emulator.region})",
    ]


def stdout_console() -> Console:
    """Returns a console that goes quiet when its reader ends, as in `pipeproof run … | head`. The run goes on to its verdict."""
    return _Unread()


class _Unread(Console):
    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
