"""`python -m harness.inside`: LocalStack's own start, with the settings that make it ours, tied to the life of whoever started it.

PIPEPROOF_LIFELINE_FD names the read end of a pipe whose write end the parent holds. When the parent ends, however it ends, the
pipe closes, and this process is killed; the cleaner kills its session (LocalStack and all execution environments). In a container there is
no PIPEPROOF_WORK_DIR, and the whole container ends with this process.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading

from harness.processes import clean

# The same for every way to have an emulator. What differs (GATEWAY_LISTEN, directories) comes from whoever starts it.
_SETTINGS = {
    "GATEWAY_SERVER": "pipeproof",
    "LAMBDA_RUNTIME_EXECUTOR": "pipeproof",
    "PROVIDER_OVERRIDE_KINESIS": "pipeproof",
    "PROVIDER_OVERRIDE_DYNAMODB": "pipeproof",
    "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "pipeproof",
    "PROVIDER_OVERRIDE_FIREHOSE": "pipeproof",
    "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": "0.1",
    "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": "0.5",
    "LAMBDA_LIMITS_CREATE_FUNCTION_REQUEST_SIZE": str(500 * 1024 * 1024),
    # LocalStack's calls to itself need no HTTP.
    "IN_MEMORY_CLIENT": "1",
    "SQS_ENDPOINT_STRATEGY": "path",
    # LocalStack's own clients, too: a loopback address has no names below it, such as the sync-… of Step Functions.
    "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    # AWS reports what waits in a queue every minute; alarms on it would keep a test waiting.
    "SQS_CLOUDWATCH_METRICS_REPORT_INTERVAL": "10",
    # An idle environment is some 50 MB: what has not been asked for a minute goes (LocalStack's default: ten minutes).
    "LAMBDA_KEEPALIVE_MS": "60000",
    # Messages expire.
    "SQS_ENABLE_MESSAGE_RETENTION_PERIOD": "1",
    # AWS waits one minute, then two, before it tries an asynchronous invocation again.
    "LAMBDA_RETRY_BASE_DELAY": "1",
    # In a container too it is an ordinary process: its directories are below FILESYSTEM_ROOT.
    "OVERRIDE_IN_DOCKER": "0",
    # No telemetry, no downloads, no DNS server.
    "DISABLE_EVENTS": "1",
    "SKIP_SSL_CERT_DOWNLOAD": "1",
    "DNS_ADDRESS": "0",
}


# LocalStack is a million objects that stay. With Python's own thresholds (700, 10, 10) looking through them for garbage takes a quarter
# of its processor time, a tenth with these.
_GC_THRESHOLDS = (20_000, 10, 10)


def _hold_lifeline(fd: int) -> None:
    os.set_inheritable(fd, False)  # noqa: FBT003
    while os.read(fd, 1):
        pass
    if work_dir := os.environ.get("PIPEPROOF_WORK_DIR", ""):
        clean(os.getsid(0), work_dir)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    lifeline = os.environ.pop("PIPEPROOF_LIFELINE_FD", "")
    if lifeline:
        threading.Thread(target=_hold_lifeline, args=(int(lifeline),), name="lifeline", daemon=True).start()
    os.environ.update(_SETTINGS)
    gc.set_threshold(*_GC_THRESHOLDS)
    from harness.inside.patches.apply import PatchRefusedError, verify  # noqa: PLC0415 - imports come after the lifeline

    try:
        verify()
    except PatchRefusedError as error:
        sys.exit(str(error))
    from localstack.runtime.main import main as run_localstack  # noqa: PLC0415 - a second of imports

    run_localstack()


if __name__ == "__main__":
    main()
