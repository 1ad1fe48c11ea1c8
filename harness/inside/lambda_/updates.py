"""An update of a function lets its invocations end on what they began with; the next ones run on what is new.

LocalStack kills them. A pipeline that is deployed under load would then fail here as it never does on AWS. While the last invocations end, the function may have twice as many environments.

Source: https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html (during an update invocations use the earlier code and configuration)
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable

_changed = threading.Condition()
_running: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
"""By version manager: the invocations that are under way there."""
_replaced: WeakSet[Any] = WeakSet()
"""The version managers in whose place another one has come, and which wait for their invocations."""
_ended: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""Version managers that were replaced and have waited, each with the service that knows which one is there now."""


def invoke(by_localstack: Callable[..., Any]) -> Callable[..., Any]:
    """Returns LambdaVersionManager.invoke, counted. What comes to a manager that has ended goes to the one in its place."""

    def counted(self: Any, *, invocation: Any) -> Any:
        with _changed:
            service = _ended.get(self)
            newer = service.lambda_running_versions.get(self.function_arn) if service is not None else None
            if newer in (None, self):
                newer = None
                _running[self] = _running.get(self, 0) + 1
        if newer is not None:
            return newer.invoke(invocation=invocation)
        try:
            return by_localstack(self, invocation=invocation)
        finally:
            with _changed:
                _running[self] -= 1
                _changed.notify_all()

    return counted


def update_version_state(by_localstack: Callable[..., None]) -> Callable[..., None]:
    """Returns LambdaService.update_version_state, which notes the manager that it replaces before it stops that."""

    def noted(self: Any, function_version: Any, new_state: Any) -> None:
        old = self.lambda_running_versions.get(function_version.qualified_arn)
        if old is None:
            by_localstack(self, function_version, new_state)
            return
        with _changed:
            _replaced.add(old)
            old.replaced_in = self
        by_localstack(self, function_version, new_state)
        if self.lambda_running_versions.get(function_version.qualified_arn) in (None, old):
            # The update has failed, or the function was deleted meanwhile.
            _no_longer([old])

    return noted


def stop(by_localstack: Callable[[Any], None]) -> Callable[[Any], None]:
    """Returns LambdaVersionManager.stop, which waits for the invocations of a manager that was replaced."""

    def waiting(self: Any) -> None:
        with _changed:
            is_replaced = self in _replaced
        if is_replaced:
            threading.Thread(target=_stop_once_unused, args=(self, by_localstack), name="replaced-version", daemon=True).start()
        else:
            by_localstack(self)

    return waiting


def _stop_once_unused(manager: Any, by_localstack: Callable[[Any], None]) -> None:
    with _changed:
        _changed.wait_for(lambda: not _running.get(manager) or manager not in _replaced)
        _replaced.discard(manager)
        _ended[manager] = manager.replaced_in
    by_localstack(manager)


def stop_version(by_localstack: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    """Returns LambdaService.stop_version: with the function goes what still runs of its earlier states."""

    def at_once(self: Any, qualified_arn: str) -> None:
        with _changed:
            earlier = [manager for manager in _replaced if manager.function_arn == qualified_arn]
        _no_longer(earlier)
        by_localstack(self, qualified_arn)

    return at_once


def _no_longer(managers: list[Any]) -> None:
    """Lets managers end without their invocations, where they are to end."""
    with _changed:
        _replaced.difference_update(managers)
        _changed.notify_all()
