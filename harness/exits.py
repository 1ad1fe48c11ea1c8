"""Exit codes, and errors as messages.

0 pass, 1 fail, 2 unknown, 64 usage, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from typing import Any

import click

from harness.accounting.verdict import Judgement
from harness.errors import UnknownVerdictError, UsageError
from harness.interrupts import EXIT_INTERRUPTED, came, end_at_once

EXIT = {Judgement.PASS: 0, Judgement.FAIL: 1, Judgement.UNKNOWN: 2}
EXIT_USAGE = 64


class ErrorsAsMessages(click.Group):
    """Turns every error that a person can cause into one message and its exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["standalone_mode"] = False
        end_at_once()
        try:
            sys.exit(super().main(*args, **kwargs) or 0)
        except (click.exceptions.Abort, KeyboardInterrupt) as error:
            # Click raises its own in the place of the other.
            self._interrupted((error.__cause__ or error).args)
        except click.ClickException as error:
            error.show()
            sys.exit(EXIT_USAGE)
        except UsageError as error:
            self._fail(str(error), EXIT_USAGE)
        except UnknownVerdictError as error:
            self._fail(str(error), EXIT[Judgement.UNKNOWN])
        except OSError as error:
            if came():
                # A terminal that was closed: what is written to it is an error too.
                self._interrupted()
            where = f" ({error.filename})" if error.filename else ""
            self._fail(f"{error.strerror or error}{where}", EXIT[Judgement.UNKNOWN])
        except Exception:  # noqa: BLE001 - a defect of ours, to be seen as it is; but no verdict, so not the code of one
            if came():
                self._interrupted()
            traceback.print_exc()
            sys.exit(EXIT[Judgement.UNKNOWN])

    def _interrupted(self, left: tuple[Any, ...] = ()) -> None:
        named = ", ".join(map(str, left))
        what = f"what was started has been stopped, but for {named}" if left else "everything that was started has been stopped"
        self._fail(f"interrupted; {what}", EXIT_INTERRUPTED)

    @staticmethod
    def _fail(message: str, code: int) -> None:
        # Nobody may be there any more to be told.
        with contextlib.suppress(OSError):
            click.echo(f"pipeproof: {message}", err=True)
        sys.exit(code)
