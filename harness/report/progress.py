"""What a command is at: a line that changes on a terminal, and lines in a plain log."""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console


@contextlib.contextmanager
def progress(console: Console, every_s: float = 0) -> Iterator[Callable[[str], None]]:
    """Gives the block a function that tells what the command is at. A plain log has the first such line, and no other one within `every_s` seconds after the last."""
    told = -math.inf
    with console.status("") as status:

        def tell(text: str) -> None:
            nonlocal told
            status.update(Text(text))
            if not console.is_terminal and time.monotonic() - told >= every_s:
                told = time.monotonic()
                console.print(f"  … {text}", highlight=False, markup=False, soft_wrap=True)

        yield tell
