"""Patches of Lambda."""

from __future__ import annotations

import functools
import json
from types import SimpleNamespace
from typing import Any

from harness.inside.patches.alone import one_at_a_time
from harness.inside.patches.declare import NAME, patch

_MINORS = range(6, 21)
_MAJORS = range(8, 41, 2)


@patch(
    "localstack.services.lambda_.invocation.assignment",
    {
        "AssignmentService.get_environment": ("self", "version_manager_id", "function_version", "provisioning_type"),
        "AssignmentService.stop_environments_for_version": ("self", "version_manager_id"),
    },
)
def assignment(module: Any) -> None:
    """LocalStack starts execution environments without bound, and chooses them from a dictionary while other threads change it. One that starts while its function is deleted stays."""
    from harness.inside.lambda_ import assignment as ours  # noqa: PLC0415

    module.AssignmentService.get_environment = ours.get_environment
    module.AssignmentService.stop_environments_for_version = ours.stop_environments_for_version


@patch(
    "localstack.services.lambda_.invocation.version_manager",
    {"LambdaVersionManager.invoke": ("self",), "LambdaVersionManager.stop": ("self",)},
)
def version_managers(module: Any) -> None:
    """LocalStack kills the invocations of a function that is updated."""
    from harness.inside.lambda_ import updates  # noqa: PLC0415

    module.LambdaVersionManager.invoke = updates.invoke(module.LambdaVersionManager.invoke)
    module.LambdaVersionManager.stop = updates.stop(module.LambdaVersionManager.stop)


@patch(
    "localstack.services.lambda_.invocation.lambda_service",
    {
        "LambdaService.update_version_state": ("self", "function_version", "new_state"),
        "LambdaService.stop_version": ("self", "qualified_arn"),
    },
)
def replaced_versions(module: Any) -> None:
    """LocalStack stops a version that is replaced as one that is deleted."""
    from harness.inside.lambda_ import updates  # noqa: PLC0415

    module.LambdaService.update_version_state = updates.update_version_state(module.LambdaService.update_version_state)
    module.LambdaService.stop_version = updates.stop_version(module.LambdaService.stop_version)


@patch(
    "localstack.services.lambda_.invocation.logs",
    {"LogHandler.run_log_loop": ("self",), "LogHandler.add_logs": ("self", "log_item")},
)
def function_logs(module: Any) -> None:
    """LocalStack makes a request to CloudWatch Logs for every invocation."""
    from harness.inside.lambda_ import logs  # noqa: PLC0415

    module.LogHandler.run_log_loop = logs.run_log_loop
    module.LogHandler.add_logs = logs.add_logs


@patch("localstack.services.lambda_.runtimes", {"ALL_RUNTIMES": NAME})
def runtimes(module: Any) -> None:
    """LocalStack takes the runtimes that it has an image for. Here any Python 3 runs on the one that there is, and so does any Node.js."""
    known = {f"python3.{minor}" for minor in _MINORS} | {f"nodejs{major}.x" for major in _MAJORS}
    module.ALL_RUNTIMES.extend(sorted(known - set(module.ALL_RUNTIMES)))


@patch("localstack.services.lambda_.invocation.lambda_models", {"boto3": NAME})
def code_links(module: Any) -> None:
    """LocalStack makes a client of S3 for each answer that has a link to a function's code."""
    module.boto3 = SimpleNamespace(client=one_at_a_time(functools.cache(module.boto3.client)))


@patch("localstack.services.lambda_.invocation.execution_environment", {"ExecutionEnvironment.get_log_group_name": ("self",)})
def log_groups(module: Any) -> None:
    """LocalStack writes the log to the group of the function's name, whatever group its LoggingConfig names."""
    by_name = module.ExecutionEnvironment.get_log_group_name

    def get_log_group_name(self: Any) -> str:
        return str((self.function_version.config.logging_config or {}).get("LogGroup") or by_name(self))

    module.ExecutionEnvironment.get_log_group_name = get_log_group_name


@patch(
    "localstack.services.lambda_.invocation.metrics",
    {
        "record_cw_metric_invocation": ("function_name", "account_id", "region_name"),
        "record_cw_metric_error": ("function_name", "account_id", "region_name"),
    },
)
def function_metrics(module: Any) -> None:
    """LocalStack starts a thread and makes one or two requests to CloudWatch for every invocation."""
    from harness.inside.lambda_ import function_metrics as ours  # noqa: PLC0415

    module.record_cw_metric_invocation = ours.record_invocation
    module.record_cw_metric_error = ours.record_error


@patch("localstack.services.lambda_.invocation.event_manager", {"dead_letter_queue": NAME, "send_event_to_target": NAME})
def failed_events(module: Any) -> None:
    """LocalStack does not count what it could not send to a dead-letter queue or a destination, and sends nothing to a bucket."""
    from harness.inside.lambda_.async_events import to_bucket  # noqa: PLC0415
    from harness.inside.lambda_.function_metrics import counting_failures  # noqa: PLC0415

    # The name was made public between the two LocalStacks that are supported.
    names = ("send_to_dead_letter_queue", "_send_to_dead_letter_queue")
    name = next(name for name in names if hasattr(module.dead_letter_queue, name))
    send = counting_failures(getattr(module.dead_letter_queue, name), "DeadLetterErrors")
    module.dead_letter_queue = SimpleNamespace(**{name: send})
    module.send_event_to_target = counting_failures(to_bucket(module.send_event_to_target), "DestinationDeliveryFailures")


@patch(
    "localstack.services.lambda_.invocation.event_manager",
    {
        "Poller.run": ("self",),
        "get_sqs_client": ("function_version", "client_config"),
        "CLIENT_CONFIG": NAME,
        "Poller.handle_message": ("self", "message"),
        "Poller.process_dead_letter_queue": ("self", "sqs_invocation"),
        "Poller.process_failure_destination": ("self", "sqs_invocation"),
    },
)
def async_events(module: Any) -> None:
    """LocalStack ignores what is configured for an alias, loses an event whose function was not invoked at all or has failed without a text, and holds
    events back for minutes if their function is changed meanwhile."""
    from harness.inside.lambda_ import async_events as ours  # noqa: PLC0415

    poller = module.Poller
    poller.run = ours.taking(module)
    poller.handle_message = ours.by_alias(poller.handle_message)
    poller.process_dead_letter_queue = ours.with_error(poller.process_dead_letter_queue)
    poller.process_failure_destination = ours.with_payload(poller.process_failure_destination)


@patch(
    "localstack.services.lambda_.event_source_mapping.esm_worker_factory",
    {"KinesisPoller": NAME, "DynamoDBPoller": NAME, "SqsPoller": NAME},
)
def mappings(module: Any) -> None:
    """LocalStack's stream pollers move on before a batch is done, do not bisect, forget their place when a mapping is disabled, and lose a batch
    whose destination is unreachable. Its SQS poller runs one invocation at a time, and writes bodies anew."""
    from harness.inside.dynamodb.mapping import DynamoDBMapping  # noqa: PLC0415
    from harness.inside.kinesis.mapping import KinesisMapping  # noqa: PLC0415
    from harness.inside.sqs.mapping import SqsMapping  # noqa: PLC0415

    module.KinesisPoller = KinesisMapping
    module.DynamoDBPoller = DynamoDBMapping
    module.SqsPoller = SqsMapping


@patch(
    "localstack.services.lambda_.provider",
    {"LambdaProvider.check_service_resource_exists": ("self", "service", "resource_arn", "function_arn", "function_role_arn")},
)
def fan_out_consumers(module: Any) -> None:
    """LocalStack looks for a stream with the ARN of an enhanced fan-out consumer."""
    check = module.LambdaProvider.check_service_resource_exists

    def check_stream(self: Any, service: str, resource_arn: str, function_arn: str, function_role_arn: str) -> None:
        check(self, service, resource_arn.partition("/consumer/")[0], function_arn, function_role_arn)

    module.LambdaProvider.check_service_resource_exists = check_stream


@patch(
    "localstack.services.lambda_.provider",
    {"LambdaProvider._validate_destination_config": ("self", "store", "function_name", "destination_config")},
)
def buckets(module: Any) -> None:
    """LocalStack refuses a bucket as a failure destination."""
    validate = module.LambdaProvider._validate_destination_config  # noqa: SLF001

    def validated(self: Any, store: Any, function_name: str, destination_config: Any) -> None:
        arn = str((destination_config.get("OnFailure") or {}).get("Destination"))
        others = {**destination_config, "OnFailure": {}} if arn.startswith("arn:aws:s3:::") else destination_config
        validate(self, store, function_name, others)

    module.LambdaProvider._validate_destination_config = validated  # noqa: SLF001


@patch("localstack.services.lambda_.invocation.version_manager", {"LambdaVersionManager.invoke": ("self",), "start_thread": NAME})
def invocation(module: Any) -> None:
    """LocalStack chooses the environment of an invocation without its event, which a fault may be addressed to. It counts the invocation in a thread of its
    own, when it may have been answered already: no rest is known then."""
    from harness.inside.lambda_.injected import INVOCATION  # noqa: PLC0415

    invoke, start_thread = module.LambdaVersionManager.invoke, module.start_thread

    def started(work: Any, *args: Any, name: str | None = None, **kwargs: Any) -> Any:
        if (name or "").startswith("record-cloudwatch-metric"):
            return work()
        return start_thread(work, *args, name=name, **kwargs)

    module.start_thread = started

    def told(self: Any, *, invocation: Any) -> Any:
        token = INVOCATION.set(invocation)
        try:
            return invoke(self, invocation=invocation)
        finally:
            INVOCATION.reset(token)

    module.LambdaVersionManager.invoke = told


@patch(
    "localstack.services.lambda_.invocation.lambda_service",
    {
        "LambdaService.invoke": ("self", "function_name", "qualifier", "region", "account_id"),
        "lambda_stores": NAME,
        "lambda_arn": NAME,
        "ResourceNotFoundException": NAME,
    },
)
def refused_invocations(module: Any) -> None:
    """LocalStack answers an invocation of an unknown version with an internal error, where AWS answers ResourceNotFoundException; it takes a payload
    that is not JSON, and lets the runtime fail on it."""
    from localstack.aws.api.lambda_ import InvalidRequestContentException  # noqa: PLC0415

    invoke = module.LambdaService.invoke

    def checked(self: Any, function_name: str, qualifier: str, region: str, account_id: str, *args: Any, **kwargs: Any) -> Any:
        function = module.lambda_stores[account_id][region].functions.get(function_name)
        known = {"$LATEST", *function.aliases, *function.versions} if function else ()
        if function and qualifier and qualifier not in known:
            arn = module.lambda_arn(function_name=function_name, qualifier=qualifier, account=account_id, region=region)
            raise module.ResourceNotFoundException(f"Function not found: {arn}", Type="User")
        try:
            json.loads(kwargs.get("payload") or b"{}")
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            raise InvalidRequestContentException(message, Type="User") from error
        return invoke(self, function_name, qualifier, region, account_id, *args, **kwargs)

    module.LambdaService.invoke = checked


@patch("localstack.services.lambda_.invocation.lambda_models", {"unzip": NAME, "S3Code.prepare_for_execution": ("self",)})
def unpacking(module: Any) -> None:
    """LocalStack unpacks with `unzip`, which follows symbolic links of the archive out of its directory, and believes no size."""
    from harness.inside.lambda_.archive import unpack_beside  # noqa: PLC0415

    module.unzip = unpack_beside


@patch(
    "localstack.services.lambda_.invocation.lambda_service",
    {"is_zip_file": NAME, "store_lambda_archive": ("archive_file", "function_name", "region_name", "account_id")},
)
def archives(module: Any) -> None:
    """LocalStack takes any zip, and fails when it unpacks it, after CreateFunction has succeeded."""
    from localstack.aws.api.lambda_ import InvalidParameterValueException  # noqa: PLC0415

    from harness.inside.lambda_.archive import BadArchiveError, verify  # noqa: PLC0415

    is_zip_file = module.is_zip_file

    def verified_zip_file(content: bytes) -> bool:
        if not is_zip_file(content):
            return False
        try:
            verify(content)
        except BadArchiveError as error:
            raise InvalidParameterValueException(f"The uploaded file is refused: {error}", Type="User") from error
        return True

    module.is_zip_file = verified_zip_file


PATCHES = (
    runtimes,
    unpacking,
    archives,
    assignment,
    version_managers,
    replaced_versions,
    invocation,
    refused_invocations,
    function_logs,
    log_groups,
    code_links,
    function_metrics,
    failed_events,
    buckets,
    async_events,
    mappings,
    fan_out_consumers,
)
