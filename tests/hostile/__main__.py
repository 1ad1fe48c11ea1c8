"""`tox -e hostile -- 2000`: so many cases per target. Each has 5 s, and all together 512 MiB more than the idle process."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import click

from harness.emulator.choose import choose_own
from tests.hostile.attack import Attack
from tests.hostile.requests import Requests
from tests.hostile.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("number", type=int, nargs="?", default=200, help="cases per target")
    parser.add_argument("--draw", type=int, default=1, help="seed of the first case")
    parser.add_argument("--target", action="append", choices=[*TARGETS, "requests", "control_routes"], help="only these")
    parser.add_argument("--emulator", default="embedded", help="embedded or container, for requests")
    asked = parser.parse_args()
    wanted = asked.target or [*TARGETS, "requests", "control_routes"]
    attack = Attack(asked.number, asked.draw)
    for name in wanted:
        if name in TARGETS:
            attack.on_files(name, TARGETS[name])
    if live := [name for name in wanted if name not in TARGETS]:
        with tempfile.TemporaryDirectory(prefix="hostile-") as scratch:
            emulator, _ = choose_own(asked.emulator, Path(scratch, "emulator.log"))
            for _ in emulator.prepare():
                pass
            try:
                requests = Requests(emulator.start().endpoint)
                for name in live:
                    attack.on(name, lambda rng, name=name: getattr(requests, name)(rng))
            finally:
                emulator.stop()
    for line in attack.found:
        click.echo(line)
    click.echo(attack.summary)
    return 1 if attack.found else 0


if __name__ == "__main__":
    sys.exit(main())
