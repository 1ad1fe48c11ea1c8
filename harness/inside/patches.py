"""Where LocalStack has no plugin point: every patch of its modules, each with its reason. Nothing else in `inside` patches.

A module is patched when LocalStack first loads it, not before: most of them belong to services that load lazily.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.util
import os
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

DEPLOY_POLL_S = 0.1
INLINE_MAP_CONCURRENCY = 40
NESTED_EXECUTION_POLL_S = 0.1


def _cloudformation(module: Any) -> None:
    """CloudFormation sleeps one to five seconds between two looks at a resource that is being created."""
    executor = module.ResourceProviderExecutor
    executor.deploy_loop = functools.partialmethod(executor.deploy_loop, sleep_time=DEPLOY_POLL_S)


def _one_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    lock = threading.RLock()

    @functools.wraps(function)
    def alone(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return function(*args, **kwargs)

    return alone


def _sam(module: Any) -> None:
    """A SAM template is transformed with the region in this process's environment, which one that ends takes away from another."""
    module.apply_serverless_transformation = _one_at_a_time(module.apply_serverless_transformation)


def _sam_of_change_sets(module: Any) -> None:
    """The same, in the CloudFormation of LocalStack 4.10 and later."""
    transform = module.ChangeSetModelTransform
    transform._apply_global_serverless_transformation = staticmethod(  # noqa: SLF001
        _one_at_a_time(transform._apply_global_serverless_transformation)  # noqa: SLF001
    )


def _assignment(module: Any) -> None:
    """Execution environments without bound, chosen from a dictionary while others change it."""
    from harness.inside.lambda_ import assignment  # noqa: PLC0415

    module.AssignmentService.get_environment = assignment.get_environment


def _function_logs(module: Any) -> None:
    """A request to CloudWatch Logs for every invocation; metrics embedded in logs are not extracted."""
    from harness.inside.lambda_ import cloudwatch  # noqa: PLC0415

    module.LogHandler.run_log_loop = cloudwatch.run_log_loop
    module.LogHandler.add_logs = cloudwatch.add_logs


def _function_metrics(module: Any) -> None:
    """A thread and one or two requests to CloudWatch for every invocation."""
    from harness.inside.lambda_ import cloudwatch  # noqa: PLC0415

    module.record_cw_metric_invocation = cloudwatch.record_invocation
    module.record_cw_metric_error = cloudwatch.record_error


def _event_source_mapping(module: Any) -> None:
    """The stream poller: see harness/inside/kinesis/mapping.py."""
    from harness.inside.kinesis.mapping import StreamMapping  # noqa: PLC0415

    module.KinesisPoller = StreamMapping


def _kinesis(module: Any) -> None:
    """Moto's shard walks all its records on every read: cost grows with the square of the records."""
    from harness.inside.kinesis.shard import IndexedShard  # noqa: PLC0415

    module.Shard = IndexedShard


def _inline_map(module: Any) -> None:
    """An Inline Map without MaxConcurrency starts a thread per item, which starves everything else; on AWS it runs 40 at a time:
    https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html"""
    original = module.InlineIterationComponentEvalInput.__init__

    @functools.wraps(original)
    def bounded(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.max_concurrency = self.max_concurrency or INLINE_MAP_CONCURRENCY

    module.InlineIterationComponentEvalInput.__init__ = bounded


def _nested_executions(module: Any) -> None:
    """A state that waits for a nested execution looks every half second."""
    module._DELAY_SECONDS_SYNC_CONDITION_CHECK = NESTED_EXECUTION_POLL_S  # noqa: SLF001


def _email_identity(module: Any) -> None:
    """CloudFormation cannot create or delete an identity of SES. Here it is verified at once, as SES in LocalStack does it."""
    provider = module.SESEmailIdentityProvider

    def create(_self: Any, request: Any) -> Any:
        name, ses = request.desired_state["EmailIdentity"], request.aws_client_factory.ses
        if "@" in name:
            ses.verify_email_identity(EmailAddress=name)
        else:
            ses.verify_domain_identity(Domain=name)
        return module.ProgressEvent(status=module.OperationStatus.SUCCESS, resource_model=request.desired_state)

    def delete(_self: Any, request: Any) -> Any:
        request.aws_client_factory.ses.delete_identity(Identity=request.previous_state["EmailIdentity"])
        return module.ProgressEvent(status=module.OperationStatus.SUCCESS, resource_model={})

    provider.create, provider.delete = create, delete


def _task_clients(module: Any) -> None:
    """Every task of a state machine assumes its role and makes a client anew, which takes longer than most tasks."""
    make = module.boto_client_for
    of_role: dict[tuple[str, str, str], Any] = {}

    def boto_client_for(service: str, region: str, state_credentials: Any) -> Any:
        key = (service, region, state_credentials.role_arn)
        if key not in of_role:
            of_role[key] = make(service=service, region=region, state_credentials=state_credentials)
        return of_role[key]

    module.boto_client_for = _one_at_a_time(boto_client_for)


def _routes(module: Any) -> None:
    """Werkzeug compiles routes through `ast`, whose recursion counter CPython 3.11 shares between threads: when many threads make their
    first request at once, one of them fails with "AST constructor recursion depth mismatch" (python/cpython#106905)."""
    module.Rule.compile = _one_at_a_time(module.Rule.compile)


def _parsers(module: Any) -> None:
    """A parser of requests takes a tenth of a second to make, and is kept per object that describes its service: every client that LocalStack
    makes for itself, one for each task of a state machine, has one of its own, and all of them are kept for good."""
    make = module.create_parser.__wrapped__
    made: dict[tuple[str, str], Any] = {}

    def create_parser(service: Any, protocol: str | None = None) -> Any:
        key = (service.service_name, protocol or service.protocol)
        if key not in made:
            made[key] = make(service, protocol)
        return made[key]

    module.create_parser = _one_at_a_time(create_parser)


def _json_paths(module: Any) -> None:
    """The tables of the parser are made anew for every path that is parsed, which is most of the work of a small state."""
    module.parse = functools.lru_cache(maxsize=4096)(module.parse)


def _listen(module: Any) -> None:
    """LocalStack ignores the host of GATEWAY_LISTEN for IPv4, and listens on all interfaces: localstack/runtime/server/twisted.py passes the port alone."""
    twisted = module.endpoints
    hosts = {address.port: address.host for address in module.config.GATEWAY_LISTEN}

    def on_its_host(reactor: Any, port: int) -> Any:
        return twisted.TCP4ServerEndpoint(reactor, port, interface=hosts[port])

    module.endpoints = SimpleNamespace(TCP4ServerEndpoint=on_its_host, TCP6ServerEndpoint=twisted.TCP6ServerEndpoint)


def _connections(module: Any) -> None:
    """A handler cannot reach the connection that its request came on, and so cannot cut it."""
    from harness.inside.connections import remember  # noqa: PLC0415

    original = module.update_wsgi_environment

    @functools.wraps(original)
    def with_connection(environ: Any, request: Any) -> None:
        original(environ, request)
        remember(environ, request)

    module.update_wsgi_environment = with_connection


def _objects(module: Any) -> None:
    """S3 keeps its objects in one directory for all LocalStacks of the machine, and leaves them there."""
    from localstack import config  # noqa: PLC0415

    module.DEFAULT_S3_TMP_DIR = os.path.join(config.dirs.tmp, "s3-objects")  # noqa: PTH118 - a string, as it was


def _s3_hostname(module: Any) -> None:
    """LocalStack asks the internet's DNS for its own name, which takes ten seconds where there is none."""
    module.CACHE_S3_HOSTNAME_DNS_STATUS = False


def _service_catalog(module: Any) -> None:
    """The index of all services' operations is made anew, in seconds, at every start: the directory that it is kept in is a new one."""
    directory = os.environ.get("PIPEPROOF_CACHE")
    if directory is None:
        return
    name_of, save = module._get_catalog_filename, module.save_service_index_cache  # noqa: SLF001

    @functools.wraps(save)
    def whole_or_not_at_all(index: Any, file_path: str) -> Any:
        # Others may start, and read, at the same time.
        unfinished = f"{file_path}.{os.getpid()}"
        saved = save(index, unfinished)
        os.replace(unfinished, file_path)  # noqa: PTH105 - strings, as they were
        return saved

    module._get_catalog_filename = lambda: os.path.join(directory, name_of())  # noqa: SLF001, PTH118 - an absolute name stays one
    module.save_service_index_cache = whole_or_not_at_all


def _sessions(module: Any) -> None:
    """Every session reads the table of endpoints anew, a tenth of a second each time, and LocalStack makes one for each store of an account."""
    loader = module.JSONFileLoader
    load_file = loader.load_file
    # All clients of a session share them as it is: what a client writes there is what any other would.
    of_tables = functools.cache(lambda path: load_file(loader(), path))

    def once(self: Any, path: str) -> Any:
        return of_tables(path) if path.endswith(("/endpoints", "/partitions")) else load_file(self, path)

    loader.load_file = once


def _http(module: Any) -> None:
    """The type of each body is parsed as that of an e-mail, with all that may stand in one; and each request is formatted for an access log that
    nobody keeps. Together a tenth of LocalStack's work for a small request."""
    module._parseContentType = functools.lru_cache(maxsize=1024)(module._parseContentType)  # noqa: SLF001
    module.HTTPFactory.log = lambda _self, _request: None


def _threads(module: Any) -> None:
    """All threads are kept until LocalStack ends: see harness/inside/threads.py."""
    from harness.inside.threads import RunningThreads  # noqa: PLC0415

    all_of_them, running = module.TMP_THREADS, RunningThreads(module.TMP_THREADS)
    # Some have taken the name from there already.
    for loaded in list(sys.modules.values()):
        if getattr(loaded, "__dict__", {}).get("TMP_THREADS") is all_of_them:
            vars(loaded)["TMP_THREADS"] = running


def _deliveries(module: Any) -> None:
    """Background deliveries are invisible from outside: a drain could not know of them."""
    from harness.inside.activity import CountedExecutor  # noqa: PLC0415

    module.ThreadPoolExecutor = CountedExecutor


_PATCHES: dict[str, Callable[[Any], None]] = {
    "botocore.loaders": _sessions,
    "localstack.services.cloudformation.resource_provider": _cloudformation,
    "localstack.services.cloudformation.engine.transformers": _sam,
    "localstack.services.cloudformation.engine.v2.change_set_model_transform": _sam_of_change_sets,
    "localstack.services.lambda_.invocation.assignment": _assignment,
    "localstack.services.lambda_.invocation.logs": _function_logs,
    "localstack.services.lambda_.invocation.metrics": _function_metrics,
    "localstack.services.lambda_.event_source_mapping.esm_worker_factory": _event_source_mapping,
    "localstack.aws.spec": _service_catalog,
    "localstack.aws.handlers.service": _parsers,
    "jsonpath_ng.parser": _json_paths,
    "jsonpath_ng.ext.parser": _json_paths,
    "localstack.runtime.server.twisted": _listen,
    "rolo.serving.twisted": _connections,
    "localstack.services.s3.provider": _objects,
    "localstack.services.ses.resource_providers.aws_ses_emailidentity": _email_identity,
    "localstack.utils.aws.aws_stack": _s3_hostname,
    "localstack.utils.threads": _threads,
    "localstack.services.sns.publisher": _deliveries,
    "localstack.services.s3.notifications": _deliveries,
    "localstack.services.stepfunctions.asl.component.state.state_execution.state_map.iteration.inline_iteration_component": _inline_map,
    "localstack.services.stepfunctions.asl.component.state.state_execution.state_task.service.state_task_service_callback": _nested_executions,
    "localstack.services.stepfunctions.asl.utils.boto_client": _task_clients,
    "moto.kinesis.models": _kinesis,
    "twisted.web.http": _http,
    "werkzeug.routing.rules": _routes,
}


def apply() -> None:
    """Patches the modules that are loaded already, and the others when they are."""
    for name, patch in _PATCHES.items():
        if name in sys.modules:
            patch(sys.modules[name])
    sys.meta_path.insert(0, _PatchOnLoad())


class _PatchOnLoad(importlib.abc.MetaPathFinder):
    """Finds the modules to patch as everybody else would, and patches them once they have run."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        patch = _PATCHES.get(fullname)
        if patch is None:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _PatchingLoader(spec.loader, patch)
                return spec
        return None


class _PatchingLoader(importlib.abc.Loader):
    def __init__(self, loader: Any, patch: Callable[[Any], None]) -> None:
        self._loader = loader
        self._patch = patch

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._patch(module)
