"""What `pipeproof redrive` shows: the letters that it looks at, and what became of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from harness.accounting.verdict import Judgement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from harness.parts.redriving import Letter
    from harness.run.redrive import Redriven, Task

_MOST_SHOWN = 50
_LONGEST = 60
_EVERY = 1000


def told(console: Console, task: Task, done: Redriven, steps: Iterable[list[Letter]], now_s: float) -> Judgement:
    """Goes through the steps and tells what happens. Returns a pass where all that was chosen is done, a fail where a message was refused, and
    unknown where another reader has some."""
    table = Table("message", "error", "age", "received", "body", box=None)
    errors: Counter[str] = Counter()
    told_of = 0
    with console.status("reading") as status:
        for letters in steps:
            for letter in letters[: _MOST_SHOWN - table.row_count]:
                table.add_row(*_row(letter, now_s))
            errors.update(letter.error or "(no error named)" for letter in letters)
            status.update(f"{done.chosen:,} chosen, {done.moved:,} moved")
            if not console.is_terminal and done.chosen - told_of >= _EVERY:
                told_of = done.chosen
                console.print(f"  … {done.chosen:,} chosen, {done.moved:,} moved", highlight=False)
    moves = task.target is not None and not task.dry_run
    if errors and not moves:
        console.print(table)
    for error, count in errors.most_common():
        console.print(f"  {count:>9,}  {error}", highlight=False, markup=False)
    chosen = f"{done.chosen:,} chosen, {done.passed_over:,} passed over"
    console.print(f"{chosen}; {done.moved:,} moved to {task.target}" if moves else f"{chosen}; nothing was moved", highlight=False)
    return _left(console, task, done)


def _left(console: Console, task: Task, done: Redriven) -> Judgement:
    """Tells what was not moved."""
    if done.newer:
        console.print(f"{done.newer:,} came after this began, and stay in {task.source}", highlight=False, markup=False)
    if done.refused:
        refused = f"{done.refused:,} were refused, and are still in {task.source}: {done.reason}"
        console.print(refused, highlight=False, markup=False)
        return Judgement.FAIL
    if done.undeleted:
        console.print(f"{done.undeleted:,} could not be deleted, and are in both queues: run this again", highlight=False)
    if done.elsewhere:
        message = f"another reader has {done.elsewhere:,} messages of {task.source}: run this again once it has ended"
        console.print(message, highlight=False, markup=False)
    if done.undeleted or done.elsewhere:
        return Judgement.UNKNOWN
    return Judgement.PASS


def _row(letter: Letter, now_s: float) -> tuple[Text, ...]:
    body = letter.body if len(letter.body) <= _LONGEST else f"{letter.body[: _LONGEST - 1]}…"
    # What others have written is no markup, and moves no cursor.
    shown = (letter.message_id, letter.error or "-", _age(now_s - letter.sent_at_s), str(letter.received), body)
    return tuple(Text("".join(one if one.isprintable() else " " for one in each)) for each in shown)


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{max(seconds, 0):.0f} s"
