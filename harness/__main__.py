"""`pipeproof`, and `python -m harness`."""

from __future__ import annotations

from harness.interrupts import end_at_once


def main() -> None:
    """Runs the command."""
    end_at_once()
    from harness.cli import main as command  # noqa: PLC0415 - a Ctrl-C must not end in a traceback of imports

    command()


if __name__ == "__main__":
    main()
