"""Uploads what a template names on this machine: code, definitions, nested templates. What `sam build` and `sam package` do."""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.emulator.clients import DEFAULT_REGION
from harness.errors import UsageError
from harness.stack import runtimes
from harness.stack.build import build_package
from harness.stack.functions import TYPES, code_of
from harness.stack.imports import missing
from harness.stack.layers import is_public, requirement_of
from harness.stack.nested import PROPERTIES, nested
from harness.stack.template import is_local, read_document
from harness.stack.values import parameter_values, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.emulator.clients import Clients
    from harness.emulator.emulator import Abilities
    from harness.stack.template import Template

_ARTIFACTS = "pipeproof-artifacts"
_LONGEST_BUCKET = 63
TAG = "pipeproof"
"""The tag of all that a run makes on AWS."""

# Properties that name local files: resource type -> property.
_CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Lambda::Function": "Code",
    "AWS::Lambda::LayerVersion": "Content",
}
_DEFINITIONS = {
    "AWS::Serverless::StateMachine": "DefinitionUri",
    "AWS::Serverless::Api": "DefinitionUri",
    "AWS::Serverless::HttpApi": "DefinitionUri",
    "AWS::StepFunctions::StateMachine": "DefinitionS3Location",
    "AWS::ApiGateway::RestApi": "BodyS3Location",
    "AWS::ApiGatewayV2::Api": "BodyS3Location",
}
LOCAL = frozenset([*_CODE.values(), *_DEFINITIONS.values(), *PROPERTIES.values()])
"""The properties that may name something on this machine."""
# What SAM takes as {Bucket, Key}; CloudFormation's own resources take {S3Bucket, S3Key} for code.
_CFN_CODE = {"AWS::Lambda::Function", "AWS::Lambda::LayerVersion"}


def artifacts_bucket(clients: Clients, stack: str) -> str:
    """Returns the bucket of the packages: an account of an emulator has one, on AWS each stack has its own. Names of buckets are those of all accounts."""
    if clients.aws:
        return f"{stack.lower()[: _LONGEST_BUCKET - len(clients.account) - 6]}-code-{clients.account}"
    return f"{_ARTIFACTS}-{clients.account}"


class Storage(Protocol):
    """Where packages and definitions go."""

    account: str
    bucket: str

    def put(self, key: str, content: bytes | Path) -> None: ...

    def url(self, key: str) -> str: ...


class Artifacts:
    """A bucket of the account that is deployed to."""

    def __init__(self, clients: Clients, stack: str = "") -> None:
        self.account, self.bucket = clients.account, artifacts_bucket(clients, stack)
        self._s3 = clients("s3")
        # The oldest region has no name here.
        elsewhere = (
            {"CreateBucketConfiguration": {"LocationConstraint": clients.region}} if clients.region != DEFAULT_REGION else {}
        )
        # A stack that is updated has one.
        with contextlib.suppress(self._s3.exceptions.BucketAlreadyOwnedByYou):
            self._s3.create_bucket(Bucket=self.bucket, **elsewhere)
        # Nobody serves the names of AWS here, and an emulator knows its own buckets by any of them.
        self._url = "https://s3.amazonaws.com" if clients.endpoint else self._s3.meta.endpoint_url
        if clients.aws:
            self._s3.put_bucket_tagging(Bucket=self.bucket, Tagging={"TagSet": [{"Key": TAG, "Value": stack}]})

    def url(self, key: str) -> str:
        """Returns the URL by which CloudFormation reads a template."""
        return f"{self._url}/{self.bucket}/{key}"

    def put(self, key: str, content: bytes | Path) -> None:
        """Uploads a file, or bytes."""
        if isinstance(content, bytes):
            self._s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        else:
            self._s3.upload_file(str(content), self.bucket, key)


class NoStorage:
    """For a packaging that only shows whether all can be built."""

    account, bucket = "000000000000", "nowhere"

    def put(self, key: str, content: bytes | Path) -> None:
        """Keeps nothing."""

    def url(self, key: str) -> str:
        """Returns where it would be."""
        return f"https://{self.bucket}/{key}"


@dataclass
class Packager:
    """Packages templates for one deployment. The functions of a stack mostly share their package, which is built and uploaded once."""

    storage: Storage
    abilities: Abilities | None
    _build: Any = field(default_factory=lambda: functools.cache(build_package))
    _uploaded: dict[Path, str] = field(default_factory=dict)

    def package(self, template: Template, parameters: Mapping[str, str], depth: int = 0) -> dict[str, Any]:
        """Returns the template with its local paths replaced by what was uploaded.

        Raises UsageError, with file and line, for what cannot be found or built."""
        body = copy.deepcopy(template.document)
        values = parameter_values(body, parameters, self.storage.account)
        common = (body.get("Globals") or {}).get("Function") or {}
        built: dict[str, Any] = {}
        for logical_id in template.resources:
            resource = body["Resources"][logical_id]
            properties = resource["Properties"] = resource.get("Properties") or {}
            kind = resource["Type"]
            inherited = common if kind == "AWS::Serverless::Function" else {}
            try:
                key = _CODE.get(kind)
                code = code_of({**inherited, **properties}) if kind == TYPES[0] else properties.get(key) if key else None
                if key and is_local(code):
                    runtime = text_of(properties.get("Runtime", inherited.get("Runtime")), values) or ""
                    layered = bool(properties.get("Layers") or inherited.get("Layers"))
                    properties[key] = self._code(template.path.parent / code, logical_id, resource, runtime, layered=layered)
                elif (key := _DEFINITIONS.get(kind)) and is_local(file := properties.get(key)):
                    properties[key] = self._definition(template.path.parent / file, logical_id)
                elif (key := PROPERTIES.get(kind)) and is_local(file := properties.get(key)):
                    properties[key] = self._template(nested(template, logical_id, file, depth), depth)
                if kind in TYPES and isinstance(properties.get("Layers"), list):
                    properties["Layers"] = self._layers(properties["Layers"], values, built)
            except UsageError as error:
                if str(error).startswith(f"{template.path}:"):
                    raise
                line = template.line("Resources", logical_id, "Properties", key or "")
                raise UsageError(f"{template.path}:{line}: {logical_id}: {error}") from error
        if is_local(common.get("CodeUri")):
            # Every function has its own by now.
            del common["CodeUri"]
        if isinstance(common.get("Layers"), list):
            common["Layers"] = self._layers(common["Layers"], values, built)
        body["Resources"] |= built
        return body

    def _code(self, code: Path, logical_id: str, resource: Mapping[str, Any], runtime: str, *, layered: bool) -> dict[str, str]:
        """Builds and uploads code. Returns where it is. A function with layers may have its modules there."""
        metadata, folder = dict(resource.get("Metadata") or {}), ""
        method = str(metadata.get("BuildMethod"))
        if "LayerVersion" in resource["Type"]:
            # https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-layers.html
            runtime = method if method.startswith(("python", "nodejs")) else ""
            folder = {"python": "python", "nodejs": "nodejs"}.get(runtime.rstrip("0123456789.x"), "")
        told = {key: metadata[key] for key in ("BuildMethod", "BuildProperties") if key in metadata}
        if method == "makefile":
            told["Target"] = f"build-{logical_id}"
        try:
            package = self._build(
                code.resolve(), runtimes.replaced(runtime, self.abilities), folder, json.dumps(told, sort_keys=True, default=str)
            )
        except (OSError, RuntimeError, ValueError) as error:
            # A path with a NUL in it, one that is too long, or links that lead in a circle.
            raise UsageError(str(error)) from error
        handler = (resource.get("Properties") or {}).get("Handler")
        if runtime.startswith("python") and isinstance(handler, str) and not layered:
            lacking = missing(package, handler)
            if lacking is not None:
                raise UsageError(f"handler {handler} cannot be imported from its package: {lacking}")
        return self._upload_package(package, in_cloudformation=resource["Type"] in _CFN_CODE)

    def _upload_package(self, package: Path, *, in_cloudformation: bool) -> dict[str, str]:
        if package not in self._uploaded:
            self._uploaded[package] = f"{hashlib.sha256(package.read_bytes()).hexdigest()}.zip"
            self.storage.put(self._uploaded[package], package)
        keys = ("S3Bucket", "S3Key") if in_cloudformation else ("Bucket", "Key")
        return dict(zip(keys, (self.storage.bucket, self._uploaded[package]), strict=True))

    def _definition(self, file: Path, logical_id: str) -> dict[str, str]:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file}: {error.strerror}") from error
        if file.suffix in {".yaml", ".yml"}:
            content = json.dumps(read_document(file, "definition"), default=str).encode()
        key = f"{logical_id}-{hashlib.sha256(content).hexdigest()}"
        self.storage.put(key, content)
        return {"Bucket": self.storage.bucket, "Key": key}

    def _template(self, template: Template, depth: int) -> str:
        """Packages and uploads a nested template. Returns its URL."""
        content = json.dumps(self.package(template, {}, depth + 1), default=str).encode()
        key = f"{hashlib.sha256(content).hexdigest()}.template"
        self.storage.put(key, content)
        return self.storage.url(key)

    def _layers(self, layers: Sequence[Any], values: Mapping[str, Any], built: dict[str, Any]) -> list[Any]:
        """Returns the layers, with those that are public replaced by layers of this stack, which are added to `built`."""
        found = []
        for layer in layers:
            if self.abilities is None or not is_public(layer, values):
                found.append(layer)
            elif (requirement := requirement_of(layer, values)) is not None:
                name = f"PipeproofLayer{hashlib.sha256(str(text_of(layer, values)).encode()).hexdigest()[:8]}"
                if name not in built:
                    built[name] = self._public_layer(requirement, self.abilities.python)
                found.append({"Ref": name})
        return found

    def _public_layer(self, requirement: str, runtime: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="pipeproof-layer-") as scratch:
            (Path(scratch) / "requirements.txt").write_text(f"{requirement}\n")
            package = build_package(Path(scratch), runtime, "python")
        return {
            "Type": "AWS::Lambda::LayerVersion",
            "Properties": {"Content": self._upload_package(package, in_cloudformation=True)},
        }
