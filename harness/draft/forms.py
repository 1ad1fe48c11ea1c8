"""The form of the files that a bucket takes: CSV, lines of JSON, a JSON list, or an object of one record, as the code reads them."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_CSV = re.compile(
    r"""\bimport csv\b|\bcsv\.(?:reader|DictReader)|["'](?:InputType["']:\s*["'])?CSV["']|read_csv|csv-parse|\.csv\b"""
)
_LINES = re.compile(r"""["']JSONL["']|splitlines\(|iter_lines\(|readline""")
_BY_SUFFIX = {".csv": "csv", ".jsonl": "ndjson", ".ndjson": "ndjson"}
# Of the events of Lambda and the answers of AWS, not of a file.
_NOT_OF_A_FILE = {"Records", "Contents", "Items", "Messages", "Responses"}
_OF_THE_FUNCTION = re.compile(r"environ|getenv|get_parameter|get_secret")
_JAVASCRIPT_LIST = re.compile(
    r"(?:const|let|var)\s+(\w+)\s*=\s*(?:await\s+)?JSON\.parse\([^;]*;"
    r"(?=[\s\S]*?(?:\bof\s+\1(?:\.(\w+))?\s*\)|\b\1(?:\.(\w+))?\.(?:map|forEach|filter|reduce)\())"
)


def form_of_files(
    suffix: str, code: Sequence[Path], definitions: Sequence[Path], trees: Mapping[Path, ast.Module]
) -> tuple[str, str | None]:
    """Returns the format of the files and, of `json`, the key of its list, if it has one: by what the keys of the objects end with, else by what the code and the state
    machines do with them. `events` are objects of one record each. `trees` are those of the code and of what it imports."""
    suffix = suffix.lower().removesuffix(".gz")
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix], None
    texts = [path.read_text("utf-8", "replace") for path in dict.fromkeys([*definitions, *code, *trees])]
    for text in texts if suffix != ".json" else ():
        for pattern, form in ((_CSV, "csv"), (_LINES, "ndjson")):
            if pattern.search(text):
                return form, None
    keys = [key for tree in trees.values() for key in _lists(tree)] + [key for text in texts for key in _javascript_lists(text)]
    if not keys:
        return "events", None
    # Who takes both takes the list itself.
    return "json", None if None in keys else keys[0]


def _javascript_lists(text: str) -> Iterator[str | None]:
    for match in _JAVASCRIPT_LIST.finditer(text):
        key = match[2] or match[3]
        others = {name for name in re.findall(rf"\b{match[1]}\.(\w+)", text) if name != key}
        if key not in _NOT_OF_A_FILE and not (key and others):
            yield key


def _lists(tree: ast.Module) -> Iterator[str | None]:
    """Yields for each list that a module reads from JSON: the key under which it stands, None where it is the document itself."""
    decoders = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and "JSONDecoder" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _lists_in(function, decoders)


def _lists_in(function: ast.FunctionDef | ast.AsyncFunctionDef, decoders: set[str]) -> Iterator[str | None]:
    parsed: dict[str, set[str | None]] = {}
    assigned = [node for node in ast.walk(function) if isinstance(node, ast.Assign | ast.AnnAssign)]
    # ast.walk goes by depth; a name must be known before it is read.
    for one in sorted(assigned, key=lambda one: one.lineno):
        target = one.targets[0] if isinstance(one, ast.Assign) else one.target
        if isinstance(target, ast.Name) and one.value is not None and (found := set(_meant(one.value, parsed, decoders))):
            parsed.setdefault(target.id, set()).update(found)
    lists: set[str | None] = set()
    for node in ast.walk(function):
        iterated: list[ast.expr] = []
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            iterated = [node.iter]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            is_list = node.func.id == "isinstance" and len(node.args) > 1 and ast.unparse(node.args[1]) in {"list", "(list, tuple)"}
            iterated = [node.args[0]] if is_list or node.func.id == "enumerate" else []
        lists |= {key for read in iterated for key in _meant(read, parsed, decoders)}
    # A document of which other keys are read too is a record, and the list is one of its fields.
    keys = {key for node in ast.walk(function) if isinstance(node, ast.expr) for key in _meant(node, parsed, decoders)}
    yield from lists if not keys - lists - {None} else ()


def _meant(node: ast.expr, parsed: dict[str, set[str | None]], decoders: set[str]) -> Iterator[str | None]:
    """Yields what an expression is of a JSON document: None for the document itself, a key for what stands under it; nothing where it is something else."""
    match node:
        case ast.Name(id=name):
            yield from parsed.get(name, ())
        case ast.Call(func=ast.Attribute(value=ast.Name(id="json" | "orjson" | "ujson" | "simplejson"), attr="loads" | "load")):
            if not _OF_THE_FUNCTION.search(ast.unparse(node)):
                yield None
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="decode")) if name in decoders:
            yield None
        case (
            ast.Subscript(value=inner, slice=ast.Constant(value=str() as key))
            | ast.Call(func=ast.Attribute(value=inner, attr="get"), args=[ast.Constant(value=str() as key), *_])
        ) if None in set(_meant(inner, parsed, decoders)) and key not in _NOT_OF_A_FILE:
            yield key
        case ast.IfExp(body=first, orelse=second):
            yield from _meant(first, parsed, decoders)
            yield from _meant(second, parsed, decoders)
