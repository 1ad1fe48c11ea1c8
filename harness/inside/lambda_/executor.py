"""LocalStack's runtime executor, with one operating system process per execution environment instead of a container.

Handlers run as the user who runs LocalStack, without isolation from the rest of the machine; what they see is what Lambda gives
them: their zip, their layers, boto3 and the runtime client, and the environment variables of the function.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localstack.services.lambda_.invocation.lambda_models import InvocationResult
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException, RuntimeExecutor

from harness.inside import callers, journal
from harness.inside.lambda_ import code
from harness.inside.lambda_.environment import Environment, Limits
from harness.inside.lambda_.injected import into_init, into_invocation
from harness.inside.lambda_.node_dir import BOOTSTRAP, node, node_runtime
from harness.inside.lambda_.runtime_api import Invocation
from harness.inside.lambda_.runtime_dir import interpreter, python_runtime
from harness.inside.sqs import visibility
from harness.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localstack.services.lambda_.invocation.lambda_models import FunctionVersion

# A template makes such URLs of the ids of its APIs: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-call-api.html
# LocalStack puts its own host in the place of AWS's: an address has no names below it.
_EXECUTE_API = re.compile(r"""https?://([a-z0-9]+)\.execute-api\.[^/\s"']+""")
# What LocalStack adds for its own container image, and no function needs.
_INTERNAL = ("LOCALSTACK_RUNTIME_ID", "LOCALSTACK_RUNTIME_ENDPOINT", "LOCALSTACK_FUNCTION_ACCOUNT_ID", "LOCALSTACK_USER")


class ProcessExecutor(RuntimeExecutor):  # type: ignore[misc]
    """One execution environment of one function version, as LocalStack's Lambda service drives it."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:  # noqa: A002 - the name is LocalStack's
        super().__init__(id, function_version)
        self._environment: Environment | None = None
        self._caller: callers.Caller | None = None

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpacks the code and the layers. Raises LambdaRuntimeException, which fails the deployment, for an unknown runtime."""
        function = function_version.config
        if function.package_type != "Zip":
            message = f"{function_version.id.function_name}: package type {function.package_type} is not supported; use a Zip"
            raise LambdaRuntimeException(message)
        runtime = str(function.runtime)
        if not runtime.startswith(("provided", "python3.", *(["nodejs"] if node() else []))):
            message = (
                f"runtime {runtime} of {function_version.id.function_name} is not supported: this emulator runs python3.* "
                f"(on {python_runtime()}, the Python it was started with), nodejs*.x "
                f"({f'on {node_runtime()}' if node() else 'where it finds node, which it does not'}) and provided.*"
            )
            raise LambdaRuntimeException(message)
        interpreter()
        code.unpack(function_version)

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        code.forget(function_version)

    def start(self, env_vars: dict[str, str]) -> None:
        """Begins the init of the environment."""
        function = self.function_version.config
        task_root = code.location(function.code)
        layers = code.layers(self.function_version)
        variables = _variables(env_vars, self.function_version, task_root, layers)
        runtime = str(function.runtime)
        visible = [*filter(None, [layers])]
        if runtime.startswith("provided"):
            command = [str(_bootstrap([task_root, *visible]))]
        elif runtime.startswith("nodejs"):
            command = [str(node()), str(BOOTSTRAP)]
            visible += [BOOTSTRAP.parent, Path(command[0]).parents[1]]
        else:
            command = [str(interpreter()), "-m", "awslambdaric", str(function.handler)]
        limits = Limits(timeout_s=function.timeout, memory_mb=function.memory_size)
        visible += [interpreter().parents[1], Path(sys.base_prefix)]
        identity = self.function_version.id
        self._caller = callers.register(variables["AWS_ACCESS_KEY_ID"], identity.function_name)
        self._environment = Environment(
            command, variables, task_root, limits, visible, layers, lambda: into_init(identity.account, identity.function_name),
            lambda: code.edition(task_root),
        )  # fmt: skip
        self._environment.start()

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Runs one invocation; never raises for what the function does."""
        assert self._environment is not None
        assert self._caller is not None
        function, identity = self.function_version.config, self.function_version.id
        invocation = Invocation(
            request_id=payload["invoke-id"],
            payload=payload["payload"].encode(),
            function_arn=payload["invoked-function-arn"],
            trace_id=payload["trace-id"],
            deadline_ms=int((time.time() + function.timeout) * 1000),
        )
        self._caller.begins(invocation.payload, invocation.request_id)
        visibility.begin(invocation.payload)
        began = time.monotonic()
        injections = into_invocation(identity.account, identity.function_name, invocation.payload, self._caller.attempt)
        outcome = self._environment.invoke(invocation, identity.qualifier, injections, self._caller)
        reply = outcome.reply
        journal.invocation(
            identity.account, identity.function_name, invocation.request_id, invocation.payload, reply.payload,
            error=reply.is_error, log=outcome.log, began=began,
            gives_back=_gives_back(self.function_version, invocation.payload, reply.payload),
        )  # fmt: skip
        return InvocationResult(request_id=invocation.request_id, payload=reply.payload, is_error=reply.is_error, logs=outcome.log)

    def stop(self) -> None:
        if self._environment is not None:
            self._environment.stop()
            self._environment = None
        if self._caller is not None:
            callers.forget(self._caller)

    def get_address(self) -> str:
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        return ""

    def get_logs(self) -> str:
        """Returns nothing: each invocation's result carries its log."""
        return ""


def _gives_back(version: FunctionVersion, payload: bytes, answer: bytes) -> bool:
    """Returns whether an answer reports failed items of a batch to a mapping that reads such answers."""
    if b"batchItemFailures" not in answer:
        return False
    try:
        source = json.loads(payload)["Records"][0]["eventSourceARN"]
    except (ValueError, TypeError, LookupError):
        return False
    return any(
        mapping.get("EventSourceArn") == source
        and version.id.function_name in str(mapping.get("FunctionArn")).split(":")
        and "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ())
        for mapping in list(lambda_stores[version.id.account][version.id.region].event_source_mappings.values())
    )


def _variables(given: dict[str, Any], version: FunctionVersion, task_root: Path, layers: Path | None) -> dict[str, str]:
    """Returns the environment of a function: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html."""
    own = version.config.environment or {}
    opt = [] if layers is None else [layers]
    # A layer may have packages for several Pythons: those for the one that the function names.
    packages = f"python/lib/{version.config.runtime}/site-packages"
    paths = [str(task_root), *(str(layer / folder) for layer in opt for folder in ("python", packages))]
    libraries = [str(task_root), str(task_root / "lib"), *(str(layer / "lib") for layer in opt)]
    variables = {
        "PATH": ":".join(["/usr/local/bin", "/usr/bin", "/bin", *(str(layer / "bin") for layer in opt)]),
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": ":".join(libraries),
        # A home without the user's ~/.aws: on AWS there is none.
        "HOME": str(task_root),
        # A loopback address has no names below it, such as the sync-… of Step Functions.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        **{name: _reachable(str(value), given) for name, value in given.items() if name not in _INTERNAL or name in own},
        "LAMBDA_TASK_ROOT": str(task_root),
        "LAMBDA_RUNTIME_DIR": str(interpreter().parent.parent),
        # Shows who calls in the User-Agent of every AWS request of the function.
        "AWS_SDK_UA_APP_ID": version.id.function_name[:50],
        "PYTHONPATH": ":".join([*paths, *filter(None, [own.get("PYTHONPATH")])]),
    }
    runtime = str(version.config.runtime)
    if runtime.startswith(("python", "nodejs")):
        variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{runtime}"
    if runtime.startswith("nodejs"):
        variables |= _node_variables(runtime, opt, own)
    told = version.config.logging_config or {}
    for name, setting in (("AWS_LAMBDA_LOG_FORMAT", "LogFormat"), ("AWS_LAMBDA_LOG_LEVEL", "ApplicationLogLevel")):
        if told.get(setting):
            variables[name] = str(told[setting])
    return variables


def _reachable(value: str, given: Mapping[str, Any]) -> str:
    """Returns the value of a variable, with URLs of API Gateway on AWS replaced by those that lead to the same API here."""
    return _EXECUTE_API.sub(lambda found: f"{given.get('AWS_ENDPOINT_URL', '')}/_aws/execute-api/{found[1]}", value)


def _node_variables(runtime: str, opt: list[Path], own: Mapping[str, str]) -> dict[str, str]:
    """Returns what the Node.js runtimes of Lambda set besides: where modules of layers are."""
    folders = [f"nodejs/node{runtime.removeprefix('nodejs').removesuffix('.x')}/node_modules", "nodejs/node_modules"]
    paths = [str(layer / folder) for layer in opt for folder in folders]
    return {
        "NODE_PATH": ":".join([*paths, *filter(None, [own.get("NODE_PATH")])]),
        # Each new process would write that the AWS SDK, or this Node.js, is old.
        "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE": "1",
        "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true",
    }


def _bootstrap(roots: Iterable[Path]) -> Path:
    """Returns the executable of a `provided.*` runtime: in the zip, else in a layer."""
    for root in roots:
        candidate = root / "bootstrap"
        if candidate.is_file():
            if not os.access(candidate, os.X_OK):
                candidate.chmod(0o755)
            return candidate
    # What Lambda's own start reports as Runtime.InvalidEntrypoint; the process then exits and the invocation says so.
    return Path("/bin/false")


def environments_per_function() -> int:
    """Returns how many environments of one function may run at once: what is configured, else two for each core."""
    return settings().lambda_environments or 2 * (os.cpu_count() or 1)


def wait_for_environment_s() -> float:
    """Returns how many seconds an invocation waits for an environment; the default is Lambda's longest time-out."""
    return settings().lambda_queue_s
