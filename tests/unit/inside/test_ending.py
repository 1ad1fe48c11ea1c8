from datetime import UTC, datetime
from types import SimpleNamespace

from harness.inside.stepfunctions.ending import stop


def test_an_execution_is_stopped_once_its_thread_has_begun():
    """Before that LocalStack's environment cannot be stopped."""
    asked, told = [], []

    def program_state():
        asked.append(1)
        return None if len(asked) < 3 else "running"

    env = SimpleNamespace(program_state=program_state, set_stop=lambda **_: len(asked) >= 3)
    worker = SimpleNamespace(env=env, _execution_communication=SimpleNamespace(terminated=lambda: told.append("ended")))
    stop(SimpleNamespace(exec_worker=worker), datetime.now(UTC), "E", "C")
    assert told == ["ended"]
    env.set_stop = lambda **_: False
    stop(SimpleNamespace(exec_worker=worker), datetime.now(UTC), "E", "C")
    assert told == ["ended"]
