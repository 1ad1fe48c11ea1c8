"""What is wrong in a template on AWS too, and would show only after minutes: handlers that are not there, names that two functions have, references in a circle."""

from __future__ import annotations

import ast
import difflib
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from harness.documents import MISTYPED
from harness.stack.functions import functions
from harness.stack.template import is_local
from harness.stack.values import holds, references, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.stack.functions import Function
    from harness.stack.template import Template

_SAM = "AWS::Serverless-2016-10-31"
# SAM makes resources of this name without one in the template, such as ServerlessRestApi.
_OF_SAM = "Serverless"
_SCRIPTS = (".js", ".mjs", ".cjs")


def mistakes(template: Template, values: Mapping[str, Any]) -> list[str]:
    """Returns each mistake with its file and line. `values` are those of the template's parameters."""
    found = sorted(
        [
            *_transform(template),
            *_handlers(template, values),
            *_names(template, values),
            *_unresolved(template),
            *_circle(template, values),
        ]
    )
    return [f"{template.path}:{line}: {text}" for line, text in found]


def _transform(template: Template) -> Iterator[tuple[int, str]]:
    """A template without SAM's transform may not have SAM's resources."""
    transforms = template.document.get("Transform") or []
    if _SAM not in (transforms if isinstance(transforms, list) else [transforms]):
        for name, resource in template.resources.items():
            if resource["Type"].startswith("AWS::Serverless::"):
                yield template.line("Resources", name, "Type"), f"{name}: {resource['Type']} needs `Transform: {_SAM}`"


def _unresolved(template: Template) -> Iterator[tuple[int, str]]:
    """Yields what is referred to and is not there. SAM makes resources whose names begin with those of the template's, and a macro may make any."""
    transforms = template.document.get("Transform") or []
    macros = [one for one in (transforms if isinstance(transforms, list) else [transforms]) if one != _SAM]
    if (
        macros
        or "Fn::Transform" in template.document
        or any(str(name).startswith("Fn::") for name in (*template.resources, *(template.document.get("Outputs") or ())))
    ):
        return
    known = {str(name) for name in (*template.resources, *(template.document.get("Parameters") or ()))}
    for section in ("Resources", "Outputs"):
        for name, part in (template.document.get(section) or {}).items():
            for wanted in dict.fromkeys(references(part)):
                made = transforms and (wanted.startswith(_OF_SAM) or any(wanted.startswith(str(one)) for one in template.resources))
                if wanted not in known and not made and not wanted.startswith("AWS::"):
                    near = difflib.get_close_matches(wanted, known, n=3)
                    hint = f"did you mean {' or '.join(near)}?" if near else f"there is {', '.join(sorted(known))}"
                    yield (
                        template.line(section, name),
                        f"{name}: it refers to {wanted}, which is neither a resource nor a parameter; {hint}",
                    )


def _names(template: Template, values: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    first: dict[str, str] = {}
    for function in functions(template, values):
        name = text_of(function.properties.get("FunctionName"), values)
        if name is None or not _is_made(template, function.logical_id, values):
            continue
        if name in first:
            line = template.line("Resources", function.logical_id, "Properties", "FunctionName")
            yield line, f"{function.logical_id}: the function name {name} is that of {first[name]} too"
        first.setdefault(name, function.logical_id)


def _is_made(template: Template, logical_id: str, values: Mapping[str, Any]) -> bool:
    condition = template.resources[logical_id].get("Condition")
    return condition is None or holds(template.document, condition, values) is not False


def _handlers(template: Template, values: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for function in functions(template, values):
        uri, handler = (
            function.properties.get("CodeUri", function.properties.get("Code")),
            text_of(function.properties.get("Handler"), values),
        )
        metadata = template.resources[function.logical_id].get("Metadata") or {}
        if (
            not is_local(uri)
            or handler is None
            or function.runtime is None
            or function.properties.get("Layers")
            or "BuildMethod" in metadata
        ):
            continue
        root = template.path.parent / uri
        if root.is_dir() and _is_made(template, function.logical_id, values):
            reason = _python(root, handler) if function.runtime.startswith("python") else _node(root, handler, function)
            if reason is not None:
                yield (
                    template.line("Resources", function.logical_id, "Properties", "Handler"),
                    f"{function.logical_id}: handler {handler}: {reason}",
                )


def _python(root: Path, handler: str) -> str | None:
    module, dot, name = handler.rpartition(".")
    if not dot:
        return "expected MODULE.FUNCTION"
    parts = module.replace(".", "/").split("/")
    # A package of the code may be made of the directory that it lies in.
    stems = ["/".join(parts[start:]) for start in range(len(parts))]
    files = [root / f"{stem}{end}" for stem in stems for end in (".py", "/__init__.py")]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        # It may come with a package.
        return None if (root / "requirements.txt").is_file() else f"{root} has no {'/'.join(parts)}.py"
    names = _defined(file)
    return f"{file} does not define {name}" if names is not None and name not in names else None


def _defined(file: Path) -> set[str] | None:
    """Returns the names that a module defines; None where only running it can tell, and where it is not Python: its init says what is wrong."""
    try:
        tree = ast.parse(file.read_text("utf-8"))
    except (OSError, SyntaxError, *MISTYPED):
        return None
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Import() | ast.ImportFrom():
                if any(alias.name == "*" for alias in node.names):
                    return None
                names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
            case ast.Call(func=ast.Name(id="setattr" | "globals" | "exec")):
                return None
    return names


def _node(root: Path, handler: str, function: Function) -> str | None:
    if not str(function.runtime).startswith("nodejs"):
        return None
    folder, _, last = handler.rpartition("/")
    file, dot, _ = last.partition(".")
    if not dot:
        return "expected FILE.EXPORT"
    stem = root / folder / file
    if any(stem.with_name(stem.name + end).is_file() for end in _SCRIPTS) or stem.is_dir():
        return None
    if stem.with_name(f"{stem.name}.ts").is_file():
        return f"{stem}.ts is TypeScript: Metadata needs BuildMethod: esbuild"
    return f"{root} has no {folder + '/' if folder else ''}{file}.js"


def _circle(template: Template, values: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Yields the resources that need each other, at the first of them. A function needs what its policies name, since it needs its role; a bucket with notifications
    needs the functions that it notifies."""
    made = {name: one for name, one in template.resources.items() if _is_made(template, name, values)}
    needs = {name: {other for other in _needed(one) if other in made and other != name} for name, one in made.items()}
    for name, resource in made.items():
        events = (resource.get("Properties") or {}).get("Events")
        for event in events.values() if resource["Type"] == "AWS::Serverless::Function" and isinstance(events, dict) else ():
            if isinstance(event, dict) and event.get("Type") == "S3":
                for bucket in references((event.get("Properties") or {}).get("Bucket")):
                    needs.get(bucket, set()).add(name)
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = list(dict.fromkeys(error.args[1]))
        first = min(circle, key=lambda one: template.line("Resources", one))
        yield template.line("Resources", first), f"{first}: circular dependency between resources: {', '.join(sorted(circle))}"


def _needed(resource: Mapping[str, Any]) -> Iterator[str]:
    properties = resource.get("Properties") or {}
    is_sam = str(resource["Type"]).startswith("AWS::Serverless::")
    yield from references({key: value for key, value in properties.items() if not (is_sam and key == "Events")})
    depends = resource.get("DependsOn") or []
    yield from depends if isinstance(depends, list) else [str(depends)]
