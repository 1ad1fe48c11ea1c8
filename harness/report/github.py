"""What a run tells GitHub Actions: an annotation where it does not pass, and its account in the summary of the job.

Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.accounting.verdict import Judgement

if TYPE_CHECKING:
    from harness.accounting.verdict import Example
    from harness.run.events import RunFinished

_EXAMPLES_SHOWN = 5
# That mean something in Markdown or HTML.
_SIGNS = {ord(sign): f"&#{ord(sign)};" for sign in "\\`*_[]<>|#&~"}


def tell_github(finished: RunFinished, *, annotate: bool = True, err: bool = False) -> None:
    """Does nothing outside GitHub Actions. `annotate` writes to standard output, or error, where the runner reads it."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    if annotate and finished.verdict.judgement is not Judgement.PASS:
        click.echo(annotation(finished), err=err)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as page:
                page.write(section(finished))
        except OSError as error:
            click.echo(f"GITHUB_STEP_SUMMARY={summary}: {error.strerror}: the summary of the job has nothing of this run", err=True)


def annotation(finished: RunFinished) -> str:
    """Returns a workflow command. Unknown is an error as well: it is no pass."""
    said = [*finished.verdict.reasons, f"Reproduce with: {finished.command}"]
    title = _property(f"{finished.scenario}: {finished.verdict.judgement}")
    return f"::error title={title}::{_data(chr(10).join(said))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def section(finished: RunFinished) -> str:
    """Returns the account in Markdown."""
    account, verdict = finished.account, finished.verdict
    lines = [f"### {_plain(finished.scenario)}: {verdict.judgement}", ""]
    lines += [f"- {_plain(reason)}" for reason in verdict.reasons]
    counts: dict[str, int] = {"offered": account.ingress.offered}
    if account.reconciled:
        outcome = account.outcome
        counts |= {
            "stored": outcome.stored,
            "dead-lettered": outcome.dead_lettered,
            "alerted": outcome.alerted,
            "rejected": outcome.rejected,
        }
        counts |= {
            name: count for name, count in (("filtered", outcome.filtered), ("unacknowledged", outcome.unacknowledged)) if count
        }
        counts |= {name: count for name, count in account.anomalies.items() if count}
    lines += [
        "",
        f"| {' | '.join(counts)} |",
        f"|{'---:|' * len(counts)}",
        f"| {' | '.join(f'{count:,}' for count in counts.values())} |",
        "",
    ]
    for name, found in account.examples.items():
        lines += [f"<details><summary>{name}: the first {min(len(found), _EXAMPLES_SHOWN)}</summary>", ""]
        lines += [_example(one) for one in found[:_EXAMPLES_SHOWN]]
        lines += ["", "</details>", ""]
    if verdict.judgement is not Judgement.PASS:
        lines += ["```", finished.command.replace("```", "` ` `"), "```", ""]
    return "\n".join([*lines, ""])


def _example(one: Example) -> str:
    last = f". {_plain(one.last)}" if one.last else ""
    return f"- `{_code(one.record_id)}`: {_plain(one.why)}; {_plain(one.last_seen)}{last}"


def _plain(text: str) -> str:
    """Returns a text that Markdown and HTML show as it is, on one line."""
    return " ".join(text.split()).translate(_SIGNS)


def _code(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")
