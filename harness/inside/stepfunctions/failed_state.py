"""A state that has failed: its Retry or Catch may let the execution go on, and the journal of the run notes that."""

from __future__ import annotations

import json
import time
from typing import Any

from harness.inside import journal


class FailedState:
    """A state, its input and its error as they were when it failed. The Catch replaces the input."""

    def __init__(self, name: str, env: Any, failure_event: Any) -> None:
        context = env.states.context_object.context_object_data
        self._execution: str = context["Execution"]["Id"]
        self._name = f"{context['StateMachine']['Id']} at {name}"
        details: dict[str, Any] = next(iter((failure_event.event_details or {}).values()), {})
        shown = details.get("error") or failure_event.error_name.error_name
        self._error = ": ".join(str(part) for part in (shown, details.get("cause")) if part)
        self._input = json.dumps(env.states.get_input(), ensure_ascii=False, default=str)
        self._failed = time.time()

    def note(self, next_state: str | None) -> None:
        """Notes that the execution went on at a state; None where the same state was attempted again."""
        account = self._execution.split(":")[4]
        journal.state(account, self._execution, self._name, self._error, next_state, self._input, self._failed)
