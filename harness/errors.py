"""What can go wrong, by who has to act. The command turns each into one message and an exit code."""

from __future__ import annotations


class PipeproofError(Exception):
    """Something the person can read: what happened, to which resource, what to do next."""


class UsageError(PipeproofError):
    """The input is wrong, and nothing has been started: exit 64."""


class UnknownVerdictError(PipeproofError):
    """The run cannot say whether records were lost: exit 2."""


class EmulatorDiedError(UnknownVerdictError):
    """The emulator ended or stopped answering while it was needed."""


class DeployError(UnknownVerdictError):
    """The stack did not deploy; names the failed resources and their reasons."""
