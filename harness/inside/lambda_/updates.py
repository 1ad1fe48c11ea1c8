"""An update of a function lets its invocations end on what they began with; the next ones run on what is new.

LocalStack kills them. A pipeline that is deployed under load would then fail here as it never does on AWS.

Source: https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html (during an update invocations use the earlier code and configuration)
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_changed = threading.Condition()
_running: Counter[str] = Counter()
"""By version manager: the invocations that are under way there."""
_replaced: dict[str, Any] = {}
"""The version managers in whose place another one has come, and that have not ended yet."""


def invoke(by_localstack: Callable[..., Any]) -> Callable[..., Any]:
    """Returns LambdaVersionManager.invoke, counted."""

    def counted(self: Any, *, invocation: Any) -> Any:
        with _changed:
            _running[self.id] += 1
        try:
            return by_localstack(self, invocation=invocation)
        finally:
            with _changed:
                _running[self.id] -= 1
                if not _running[self.id]:
                    del _running[self.id]
                    _changed.notify_all()

    return counted


def update_version_state(by_localstack: Callable[..., None]) -> Callable[..., None]:
    """Returns LambdaService.update_version_state, which notes whom it replaces. It stops that one, and so looks whether it is noted."""

    def noted(self: Any, function_version: Any, new_state: Any) -> None:
        old = self.lambda_running_versions.get(function_version.qualified_arn)
        if old is not None:
            with _changed:
                _replaced[old.id] = old
        by_localstack(self, function_version, new_state)
        if old is not None and self.lambda_running_versions.get(function_version.qualified_arn) is old:
            # The update has failed.
            with _changed:
                _replaced.pop(old.id, None)

    return noted


def stop(by_localstack: Callable[[Any], None]) -> Callable[[Any], None]:
    """Returns LambdaVersionManager.stop, which waits for the invocations of a manager that was replaced."""

    def waiting(self: Any) -> None:
        with _changed:
            is_replaced = self.id in _replaced
        if is_replaced:
            threading.Thread(target=_stop_once_unused, args=(self, by_localstack), name="replaced-version", daemon=True).start()
        else:
            by_localstack(self)

    return waiting


def _stop_once_unused(manager: Any, by_localstack: Callable[[Any], None]) -> None:
    with _changed:
        _changed.wait_for(lambda: not _running[manager.id] or manager.id not in _replaced)
        _replaced.pop(manager.id, None)
    by_localstack(manager)


def stop_version(by_localstack: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    """Returns LambdaService.stop_version: with the function goes what still runs of its earlier states."""

    def at_once(self: Any, qualified_arn: str) -> None:
        with _changed:
            for name, manager in list(_replaced.items()):
                if manager.function_arn == qualified_arn:
                    del _replaced[name]
            _changed.notify_all()
        by_localstack(self, qualified_arn)

    return at_once
