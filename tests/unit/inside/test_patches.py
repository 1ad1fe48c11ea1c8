"""Patches whose effect can be seen without LocalStack."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import threading
from collections import defaultdict
from types import SimpleNamespace
from typing import ClassVar

import pytest
from werkzeug import routing
from werkzeug.routing import rules

from harness.inside import kept, patches
from harness.inside.patches import declare, gateway, lambda_, runtime, stepfunctions, templates
from harness.inside.patches.apply import PATCHES, PatchRefusedError, verify
from harness.inside.patches.declare import NAME, Patch


class FileLoader:
    """As botocore's: reads a file for whoever asks."""

    read: list[str]

    def load_file(self, path):
        self.read.append(path)
        return {"of": path}


def test_the_tables_that_all_sessions_need_are_read_once_and_other_files_each_time():
    botocore = SimpleNamespace(JSONFileLoader=type("Own", (FileLoader,), {"read": []}), Loader=Loader)
    runtime.sessions.apply(botocore)
    for _ in range(3):
        for path in ("/data/endpoints", "/data/partitions", "/data/s3/service-2"):
            assert botocore.JSONFileLoader().load_file(path) == {"of": path}
    assert botocore.JSONFileLoader.read == ["/data/endpoints", "/data/partitions", *["/data/s3/service-2"] * 3]


class Loader:
    """As botocore's: looks for the services below its paths."""

    looked: ClassVar[list] = []

    def __init__(self, *search_paths):
        self.search_paths = search_paths

    def list_available_services(self, type_name):
        self.looked.append((*self.search_paths, type_name))
        return [self.search_paths[0]]


def test_services_are_looked_for_once_for_each_path_and_type():
    botocore = SimpleNamespace(JSONFileLoader=type("Own", (FileLoader,), {"read": []}), Loader=Loader)
    runtime.sessions.apply(botocore)
    for _ in range(3):
        for path in ("mine", "yours"):
            for kind in ("service-2", "waiters-2"):
                found = botocore.Loader(path).list_available_services(kind)
                assert found == [path]
                found.clear()
    assert Loader.looked == [("mine", "service-2"), ("mine", "waiters-2"), ("yours", "service-2"), ("yours", "waiters-2")]


def test_the_regions_of_a_service_are_asked_for_once_and_what_is_told_may_be_changed():
    asked = []

    class Session:
        def get_available_regions(self, *key):
            asked.append(key)
            return ["eu-west-1"]

    runtime.regions.apply(SimpleNamespace(Session=Session))
    for service in ("s3", "sqs", "s3"):
        regions = Session().get_available_regions(service)
        assert regions == ["eu-west-1"]
        regions.clear()
    assert Session().get_available_regions("s3", "aws-cn") == ["eu-west-1"]
    assert asked == [("s3", "aws", False), ("sqs", "aws", False), ("s3", "aws-cn", False)]


def test_the_links_to_code_of_one_endpoint_are_made_by_one_client():
    made = []
    module = SimpleNamespace(boto3=SimpleNamespace(client=lambda *name, **where: made.append((name, where)) or object()))
    lambda_.code_links.apply(module)
    one, other, again = (module.boto3.client("s3", endpoint_url=url) for url in ("here", "there", "here"))
    assert one is again is not other
    assert len(made) == 2


def test_a_route_makes_the_address_that_werkzeug_would_make_and_compiles_it_only_then():
    compiled = []

    class Rule(rules.Rule):
        def _compile_builder(self, append_unknown=True):  # noqa: FBT002 - as werkzeug has it
            compiled.append(append_unknown)
            return super()._compile_builder(append_unknown)

    of_werkzeug = routing.Map([rules.Rule("/a/<path:b>/<c>", endpoint="it")]).bind("here")
    gateway.builders.apply(SimpleNamespace(Rule=Rule))
    patched = routing.Map([Rule("/a/<path:b>/<c>", endpoint="it")]).bind("here")
    assert not compiled
    for _ in range(2):
        for values in ({"b": "x/ü", "c": "y"}, {"b": "x", "c": "y", "self": "z", "rule": "?"}):
            assert patched.build("it", values) == of_werkzeug.build("it", values)
    assert compiled == [True]


def test_clients_share_a_context_of_tls():
    class URLLib3Session:
        pass

    httpsession = SimpleNamespace(URLLib3Session=URLLib3Session, create_urllib3_context=object)
    runtime.tls.apply(httpsession)
    assert URLLib3Session()._get_ssl_context() is URLLib3Session()._get_ssl_context()


def test_no_request_goes_on_before_the_operations_of_its_service_are_routed():
    routed, seen, second_asked = [], [], threading.Event()

    class ServiceLoader:
        """As LocalStack's: it calls a service loaded before it has routed it."""

        def __init__(self):
            self.service_locks = defaultdict(threading.RLock)
            self.loaded = set()

        def require_service(self, _, context, response):
            name = context.service.service_name
            if name in self.loaded:
                second_asked.set()
                return
            with self.service_locks[name]:
                self.loaded.add(name)
                threading.Thread(target=second).start()
                assert second_asked.wait(10), "the second request never asked for the service"
                response.wait(0.2)
                routed.append(name)

    gateway.loaded_services.apply(SimpleNamespace(ServiceLoader=ServiceLoader))
    loader, context = ServiceLoader(), SimpleNamespace(service=SimpleNamespace(service_name="cloudwatch"))
    ended = threading.Event()

    def second():
        loader.require_service(None, context, ended)
        seen.extend(routed)
        ended.set()

    loader.require_service(None, context, ended)
    assert ended.wait(10)
    assert seen == ["cloudwatch"]


def test_an_answer_counts_that_comes_before_the_wait_for_heartbeats_or_with_its_end():
    class Endpoint:
        outcome = None
        heard = False

        def setup_heartbeat_endpoint(self, heartbeat_seconds):
            return SimpleNamespace(clear_and_wait=lambda: self.heard, notify=lambda: setattr(self, "heard", True))

        def get_outcome(self):
            return self.outcome

    stepfunctions.answers_before_the_wait.apply(SimpleNamespace(CallbackEndpoint=Endpoint))
    before, during, silent = Endpoint(), Endpoint(), Endpoint()
    before.outcome = "answered"
    wait_before, wait_during, wait_silent = (e.setup_heartbeat_endpoint(30).clear_and_wait for e in (before, during, silent))
    during.outcome = "answered"
    assert (before.heard, during.heard) == (True, False)
    assert (wait_before(), wait_during(), wait_silent()) == (True, True, False)


def test_the_operations_of_a_service_are_looked_up_once():
    looked_at = []
    module = SimpleNamespace(method_names_from_class=lambda clazz: [looked_at.append(clazz), "get_item"][1:])
    runtime.operations.apply(module)
    assert [module.method_names_from_class(clazz) for clazz in (int, str, int)] == [{"get_item"}] * 3
    assert looked_at == [int, str]


def test_every_patch_that_is_declared_is_applied():
    """A patch was declared and left out of its module's list: what it mends was thought mended."""
    modules = [importlib.import_module(f"{patches.__name__}.{found.name}") for found in pkgutil.iter_modules(patches.__path__)]
    declared = {name: made for module in modules for name, made in vars(module).items() if isinstance(made, Patch)}
    assert [name for name, made in declared.items() if made not in PATCHES] == []


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.module)
def test_the_installed_localstack_has_what_each_patch_expects(patch):
    assert list(patch.problems()) == []
    assert patch.reason


@pytest.mark.parametrize(
    ("module", "expects", "said"),
    [
        ("localstack.utils.nothing", {}, "module localstack.utils.nothing does not exist"),
        ("no_such_package.at_all", {}, "module no_such_package.at_all does not exist"),
        ("localstack.utils.threads", {"TMP_THREADZ": NAME}, "localstack.utils.threads has no TMP_THREADZ"),
        ("botocore.loaders", {"JSONFileLoader.load_fil": NAME}, "botocore.loaders has no JSONFileLoader.load_fil"),
        ("botocore.loaders", {"JSONFileLoader.load_file": ("self", "path")}, "takes (self, file_path), not (self, path)"),
        ("moto.kinesis.models", {"Shard": NAME, "shard": NAME}, "moto.kinesis.models has no shard"),
    ],
)
def test_a_patch_that_would_not_apply_refuses_to_start_and_says_what_is_missing(monkeypatch, module, expects, said):
    broken = Patch(module, expects, "because", lambda _: None)
    assert [said in problem for problem in broken.problems()] == [True]
    monkeypatch.setattr("harness.inside.patches.apply.PATCHES", (*PATCHES, broken))
    with pytest.raises(PatchRefusedError, match="does not start this LocalStack") as refused:
        verify()
    assert said in str(refused.value)


def test_what_services_keep_is_where_the_harness_looks_for_it():
    assert list(kept.problems()) == []


def test_what_has_moved_refuses_to_start_and_says_what_is_missing(monkeypatch):
    moved = kept.Kept(
        (("localstack.services.sqs.models", "sqs_stores", "SqsStore.queuez"), ("moto.nothing", "backends", "Backend"))
    )
    monkeypatch.setattr(kept, "QUEUES", moved)
    with pytest.raises(PatchRefusedError) as refused:
        verify()
    said = "localstack.services.sqs.models has no sqs_stores with SqsStore.queuez and moto.nothing has no backends with Backend"
    assert said in str(refused.value)


def test_a_service_that_was_never_used_keeps_nothing():
    unused = kept.Kept(
        (("localstack.services.es.models", "stores", "Store"), ("localstack.services.es.provider", "EsProvider", "EsProvider"))
    )
    assert unused.place == ("localstack.services.es.provider", "EsProvider")
    assert (unused.look(), unused.stores(None)) == (None, [])


def test_a_transform_has_its_region_in_the_environment_and_never_takes_it_away(monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    read = []

    def transform(region_name, _template, _parameters):
        read.append(os.environ["AWS_DEFAULT_REGION"])
        module.os.environ.pop("AWS_DEFAULT_REGION", None)

    module = SimpleNamespace(os=os, ChangeSetModelTransform=type("Transform", (), {}))
    module.ChangeSetModelTransform._apply_global_serverless_transformation = staticmethod(transform)
    templates.sam_of_change_sets.apply(module)
    for region in ("us-east-1", "eu-west-1"):
        module.ChangeSetModelTransform._apply_global_serverless_transformation(region, {}, {})
        assert os.environ["AWS_DEFAULT_REGION"] == region
    assert read == ["us-east-1", "eu-west-1"]


def test_what_a_module_defines_is_kept_for_its_very_source(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPEPROOF_CACHE", str(tmp_path / "cache"))
    source = b"def f(a, b): ..."
    known = declare._Known()
    assert known.get(source) is None
    known.add(source, {"f": ("a", "b"), "x": NAME})
    known.keep()
    assert declare._Known().get(source) == {"f": ("a", "b"), "x": NAME}
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["definitions.json"]
    assert declare._Known().get(b"def f(b, a): ...") is None
    for damaged in ["[", "[]", json.dumps({declare._digest(source): 1})]:
        (tmp_path / "cache" / "definitions.json").write_text(damaged)
        assert declare._Known().get(source) is None
