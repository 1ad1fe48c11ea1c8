"""Lambda functions from source text, and waiting for a condition with a bound."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from dataclasses import dataclass, field


def zipped(contents):
    """A zip with these files, all of them executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in contents.items():
            info = zipfile.ZipInfo(path)
            info.external_attr = 0o755 << 16
            archive.writestr(info, text)
    return buffer.getvalue()


def wait_until(look, what, timeout_s=60):
    """The first true thing that `look` returns; fails with what was waited for."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        seen = look()
        if seen:
            return seen
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s} s for {what}")


@dataclass(frozen=True)
class Functions:
    """Creates Lambda functions from source text and invokes them. `clients(service)` returns a boto3 client."""

    clients: object
    runtime: str
    created: list[str] = field(default_factory=list)

    def create(self, name, source, *, handler="app.handler", runtime=None, files=None, **options):
        contents = {"app.py": source, **(files or {})}
        self.clients("lambda").create_function(
            FunctionName=name,
            Runtime=runtime or self.runtime,
            Role=f"arn:aws:iam::{self.clients.account}:role/test",
            Handler=handler,
            Code={"ZipFile": zipped(contents)},
            **options,
        )
        self.created.append(name)
        self.clients("lambda").get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return name

    def invoke(self, name, event=None):
        """The function error (or None), the decoded payload, and the log's tail."""
        answer = self.clients("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode(), LogType="Tail")
        log = base64.b64decode(answer.get("LogResult", "")).decode()
        return answer.get("FunctionError"), json.loads(answer["Payload"].read()), log

    def delete(self):
        """What a test has created goes with it: each idle environment is a process of some 50 MB."""
        for name in self.created:
            self.clients("lambda").delete_function(FunctionName=name)
