"""Puts saved changes of a stack that is up in place: code of functions at once, anything else of the template by an update of the stack."""

from __future__ import annotations

import contextlib
import io
import os
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.emulator.plugin import put_code
from harness.errors import EmulatorDiedError, PipeproofError, UsageError
from harness.stack.deploy import physical_names, update
from harness.stack.functions import functions
from harness.stack.nested import with_nested
from harness.stack.package import LOCAL, Artifacts, Packager
from harness.stack.template import is_local, read_template
from harness.stack.values import parameter_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.emulator.clients import Clients
    from harness.emulator.emulator import Abilities

_LOOK_S = 0.2
_LIVE_WITHIN_S = 30
_DOCUMENTS = {".yaml", ".yml", ".json", ".template"}
_SOURCES = {".py", ".js", ".mjs", ".cjs", ".sql", ".html", ".txt", ".json", ".yaml", ".yml", ".csv"}
_MANIFESTS = {"requirements.txt", "package.json", "package-lock.json", "template.yaml"}
_NO_CODE = {
    ".git",
    ".tox",
    ".venv",
    ".aws-sam",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    "__pycache__",
    "node_modules",
    "runs",
    ".pipeproof",
}


def watch(
    clients: Clients, path: Path, parameters: Mapping[str, str], stack: str, abilities: Abilities | None, check: Callable[[], None]
) -> Iterator[str]:
    """Yields what it has put in place, in words, and goes on until it is interrupted. `stack` is the name of a stack that was deployed from the template at `path`.

    What cannot be built or deployed is told, and looked at again after the next change. `check` raises where the emulator is gone."""
    before = _packaged(clients, path, parameters, abilities)
    named = _named(path) or set()
    seen = _stamps(path, named)
    yield f"watching {path.parent}"
    while True:
        time.sleep(_LOOK_S)
        check()
        # What a template names that is wrong for a moment is what it named before.
        named = _named(path) or named
        now = _stamps(path, named)
        if now == seen:
            continue
        changed = sorted({os.path.relpath(file, path.parent) for file, _ in {*now.items()} ^ {*seen.items()}})
        before_stamps, seen, began = seen, now, time.monotonic()
        try:
            if saved := _saved(path, {file for file, _ in {*now.items()} ^ {*before_stamps.items()}}):
                names = physical_names(clients, stack)
                for name, files in saved.items():
                    put_code(clients.endpoint, clients.account, names[name], _zipped(files))
                yield f"{changed[0]}: {', '.join(saved)} {'has' if len(saved) == 1 else 'have'} new code in {time.monotonic() - began:.1f} s"
                continue
            after = _packaged(clients, path, parameters, abilities)
            done = _put_in_place(clients, path, parameters, stack, abilities, check, before, after)
        except EmulatorDiedError:
            raise
        except PipeproofError as error:
            yield f"{changed[0]}: not in place: {error}"
            continue
        before = after
        yield f"{changed[0]}: {done} in {time.monotonic() - began:.1f} s"


def _saved(path: Path, changed: set[str]) -> dict[str, dict[str, Path]]:
    """Returns, of one function for each directory of code, the files that were saved there by their place in its package. Nothing where more than source code of functions
    that are not built has changed: that needs a package or an update of the stack."""
    template = read_template(path)
    roots: dict[Path, str] = {}
    for function in functions(template, parameter_values(template.document, {}, "")):
        uri = function.properties.get("CodeUri")
        if is_local(uri) and "BuildMethod" not in (template.resources[function.logical_id].get("Metadata") or {}):
            roots.setdefault((path.parent / uri).resolve(), function.logical_id)
    found: dict[str, dict[str, Path]] = {}
    for name in changed:
        file = Path(name)
        root = next((root for root in roots if file.is_relative_to(root)), None)
        if root is None or not file.is_file() or file.suffix not in _SOURCES or file.name in _MANIFESTS:
            return {}
        found.setdefault(roots[root], {})[str(file.relative_to(root))] = file
    return found


def _zipped(files: Mapping[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files.items():
            archive.write(file, name)
    return buffer.getvalue()


def _packaged(clients: Clients, path: Path, parameters: Mapping[str, str], abilities: Abilities | None) -> dict[str, Any]:
    return Packager(Artifacts(clients), abilities).package(read_template(path), parameters)


def _put_in_place(
    clients: Clients, path: Path, parameters: Mapping[str, str], stack: str, abilities: Abilities | None, check: Callable[[], None],
    before: Mapping[str, Any], after: Mapping[str, Any],
) -> str:  # fmt: skip
    """Returns what was done, in words."""
    old, new = before["Resources"], after["Resources"]
    code = {name: _code(one) for name, one in new.items() if name in old and _code(one) and _code(one) != _code(old[name])}
    if _without_code(before) != _without_code(after):
        update(clients, path, parameters, stack, check, abilities)
        return "the stack is updated"
    names = physical_names(clients, stack)
    for name, place in code.items():
        _update_code(clients("lambda"), names[name], place)
    return f"{', '.join(code)} {'has' if len(code) == 1 else 'have'} new code" if code else "nothing of the stack has changed"


def _update_code(client: Any, name: str, place: Mapping[str, str]) -> None:
    client.update_function_code(FunctionName=name, S3Bucket=place["S3Bucket"], S3Key=place["S3Key"])
    deadline = time.monotonic() + _LIVE_WITHIN_S
    while (status := client.get_function_configuration(FunctionName=name)).get("LastUpdateStatus") == "InProgress":
        if time.monotonic() > deadline:
            raise UsageError(f"{name} is still being updated after {_LIVE_WITHIN_S} s")
        time.sleep(_LOOK_S / 10)
    if status.get("LastUpdateStatus") == "Failed":
        raise UsageError(f"{name}: {status.get('LastUpdateStatusReason')}")


def _code(resource: Mapping[str, Any]) -> dict[str, str]:
    """Returns where the package of a function is; nothing for any other resource, and for code that is written in the template."""
    properties = resource.get("Properties") or {}
    if (
        resource.get("Type") == "AWS::Serverless::Function"
        and isinstance(place := properties.get("CodeUri"), dict)
        and "Key" in place
    ):
        return {"S3Bucket": place["Bucket"], "S3Key": place["Key"]}
    place = properties.get("Code")
    return dict(place) if resource.get("Type") == "AWS::Lambda::Function" and isinstance(place, dict) and "S3Key" in place else {}


def _without_code(body: Mapping[str, Any]) -> dict[str, Any]:
    resources = {
        name: {
            **one,
            "Properties": {key: value for key, value in (one.get("Properties") or {}).items() if key not in {"CodeUri", "Code"}},
        }
        if _code(one)
        else one
        for name, one in body["Resources"].items()
    }
    return {**body, "Resources": resources}


def _stamps(path: Path, named: set[Path]) -> dict[str, tuple[int, int]]:
    """Returns time and size of the files that a stack is made of: the templates and documents beside the template, and what it names on this machine."""
    found: dict[str, tuple[int, int]] = {}
    for file in path.parent.iterdir():
        if file.suffix in _DOCUMENTS:
            _stamp(str(file), found)
    for root in named:
        if root.is_file():
            _stamp(str(root), found)
        for directory, names, files in os.walk(root):
            names[:] = [name for name in names if name not in _NO_CODE]
            for name in files:
                _stamp(os.path.join(directory, name), found)  # noqa: PTH118 - many, and often
    return found


def _stamp(file: str, found: dict[str, tuple[int, int]]) -> None:
    # It may be gone by now.
    with contextlib.suppress(OSError):
        status = os.stat(file)  # noqa: PTH116
        found[file] = status.st_mtime_ns, status.st_size


def _named(path: Path) -> set[Path] | None:
    """Returns the local files and directories that a template, and those that it nests, name; None where one cannot be read."""
    try:
        return {
            (template.path.parent / uri).resolve()
            for template in with_nested(read_template(path))
            for uri in [
                (template.document.get("Globals") or {}).get("Function", {}).get("CodeUri"),
                *((one.get("Properties") or {}).get(key) for one in template.resources.values() for key in LOCAL),
            ]
            if is_local(uri)
        }
    except UsageError:
        # It is half written, or wrong: that is told when it is packaged.
        return None
