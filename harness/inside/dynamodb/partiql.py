"""PartiQL's SELECT, UPDATE and DELETE by DynamoDB's own filters, updates and deletes. moto's do not look at most of their conditions, and
find nothing then.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.dynamodb.comparisons import get_filter_expression

from harness.inside.dynamodb.partiql_tokens import PartiqlError, Tokens, not_well_formed
from harness.inside.dynamodb.values import number

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEYWORDS = {"and", "or", "not", "in", "between"}
_FUNCTIONS = {"begins_with", "contains", "size", "attribute_type", "list_append", "if_not_exists", "set_add", "set_delete"}
_LITERALS = {"true": {"BOOL": True}, "false": {"BOOL": False}, "null": {"NULL": True}}


@dataclass(slots=True)
class Statement:
    """A select, an update (`update` is its expression) or a delete of one item."""

    table: str
    index: str | None = None
    columns: list[list[Any]] | None = None
    """What a select shows, as paths; None for all."""
    update: str | None = None
    condition: str = ""
    key: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    returning: tuple[str, str] | None = None
    """ALL or MODIFIED, and OLD or NEW."""


def verb_of(statement: str) -> str:
    """Returns `select`, `update`, `delete` or `insert`, or whatever a statement begins with."""
    return (statement.split(None, 1) or [""])[0].lower()


def selected(backend: Any, statement: str, parameters: Sequence[Any]) -> list[dict[str, Any]]:
    """Returns what a SELECT finds. `backend` is moto's. Raises PartiqlError for what is not well formed, or names no index."""
    wanted = _Reader(statement, list(parameters or ())).select()
    table = backend.get_table(wanted.table)
    needed = [] if wanted.index is None else _index(table, wanted.index).schema_key_attrs
    holds = get_filter_expression(wanted.condition, wanted.names, wanted.values).expr if wanted.condition else lambda _: True
    found = [item for item in table.all_items() if all(name in item.attrs for name in needed) and holds(item)]
    return [_attributes(item.project(wanted.columns) if wanted.columns else item) for item in found]


def _index(table: Any, name: str) -> Any:
    for index in table.all_indexes():
        if index.name == name:
            return index
    raise PartiqlError("The table does not have the specified index: " + name)


def done(backend: Any, statement: str, parameters: Sequence[Any]) -> list[dict[str, Any]]:
    """Does what an UPDATE or DELETE says, and returns what its RETURNING asks for. `backend` is moto's.

    Raises PartiqlError for what is not well formed or does not name one item."""
    change = _Reader(statement, list(parameters or ())).change(lambda name: _keys(backend.get_table(name)))
    names, values, condition = change.names, change.values, change.condition
    before = _attributes(backend.get_item(change.table, change.key))
    if change.update is None:
        backend.delete_item(change.table, change.key, names, values, condition)
    else:
        backend.update_item(change.table, change.key, change.update, names, values, condition_expression=condition)
    if change.returning is None:
        return []
    after = _attributes(backend.get_item(change.table, change.key))
    what, which = change.returning
    shown, other = (before, after) if which == "OLD" else (after, before)
    return [shown if what == "ALL" else {name: value for name, value in shown.items() if other.get(name) != value}]


def _keys(table: Any) -> list[str]:
    return [name for name in (table.hash_key_attr, table.range_key_attr) if name]


def _attributes(item: Any) -> dict[str, Any]:
    return dict(copy.deepcopy(item.to_json()["Attributes"])) if item else {}


class _Reader(Tokens):
    def __init__(self, statement: str, parameters: list[Any]) -> None:
        super().__init__(statement)
        self.parameters = parameters
        self.made = Statement("")

    def change(self, keys_of: Any) -> Statement:
        self.verify_parameters()
        verb = self.word()
        if verb == "delete":
            self.expect("from")
        self.made.table = self.name()
        if verb == "update":
            self.made.update = self.update()
        self.expect("where")
        self.where(keys_of(self.made.table))
        if self.is_next("returning"):
            self.returning()
        if self.at < len(self.tokens):
            raise not_well_formed(self.tokens[self.at][1])
        return self.made

    def select(self) -> Statement:
        self.verify_parameters()
        self.expect("select")
        self.made.columns = self.columns()
        self.expect("from")
        self.made.table = self.name()
        if self.is_next("."):
            self.at += 1
            self.made.index = self.name()
        if self.is_next("where"):
            self.at += 1
            self.made.condition = self.expression({"order"})
        if self.is_next("order"):
            self.at = len(self.tokens)
        return self.made

    def columns(self) -> list[list[Any]] | None:
        if self.is_next("*"):
            self.at += 1
            return None
        paths: list[list[Any]] = []
        while not paths or self.is_next(","):
            self.at += bool(paths)
            paths.append([self.name()])
            while self.is_next("."):
                self.at += 1
                paths[-1].append(self.name())
        return paths

    def verify_parameters(self) -> None:
        if sum(found == ("sign", "?") for found in self.tokens) != len(self.parameters):
            raise PartiqlError("Number of parameters in request and statement don't match.")

    # The statement's parts.

    def update(self) -> str:
        parts: dict[str, list[str]] = {}
        while self.is_next("set") or self.is_next("remove"):
            verb = self.word()
            while True:
                parts.setdefault(verb.upper(), []).append(self.assignment(parts) if verb == "set" else self.path())
                if not self.is_next(","):
                    break
                self.at += 1
        if not parts:
            raise PartiqlError("Statement wasn't well formed, can't be processed: an UPDATE needs SET or REMOVE")
        return " ".join(f"{verb} {', '.join(filter(None, clauses))}" for verb, clauses in parts.items() if any(clauses))

    def assignment(self, parts: dict[str, list[str]]) -> str:
        """`path = expression`; set_add and set_delete are clauses of their own in DynamoDB."""
        path = self.path()
        self.expect("=")
        if self.is_next("set_add") or self.is_next("set_delete"):
            verb = "ADD" if self.word() == "set_add" else "DELETE"
            self.expect("(")
            of = self.path()
            self.expect(",")
            parts.setdefault(verb, []).append(f"{of} {self.operand()}")
            self.expect(")")
            return ""
        return f"{path} = {self.expression({',', 'where', 'set', 'remove'})}"

    def where(self, keys: Sequence[str]) -> None:
        """What all must hold and is an equality of a key attribute is the key; all of it is the condition."""
        condition = self.expression({"returning"})
        found: dict[str, Any] = {}
        for clause in condition.split(" AND ") if " OR " not in _without_brackets(condition) else ():
            match = re.fullmatch(r"(#n\d+) = (:v\d+)|(:v\d+) = (#n\d+)", clause)
            if match:
                found[self.made.names[match[1] or match[4]]] = self.made.values[match[2] or match[3]]
        if not set(keys) <= set(found):
            raise PartiqlError("Where clause does not contain a mandatory equality on all key attributes")
        self.made.key = {name: found[name] for name in keys}
        self.made.condition = f"attribute_exists({self.alias(keys[0])}) AND ({condition})"

    def returning(self) -> None:
        self.expect("returning")
        what, which = self.word().upper(), self.word().upper()
        self.expect("*")
        if (
            what not in {"ALL", "MODIFIED"}
            or which not in {"OLD", "NEW"}
            or (self.made.update is None and (what, which) != ("ALL", "OLD"))
        ):
            raise not_well_formed(f"RETURNING {what} {which}")
        self.made.returning = (what, which)

    # Expressions.

    def expression(self, ends: set[str]) -> str:
        """Returns what comes up to one of these words or signs, as an expression of DynamoDB."""
        out: list[str] = []
        depth = 0
        while self.at < len(self.tokens):
            kind, text = self.tokens[self.at]
            low = text.lower()
            if depth == 0 and kind in {"word", "sign"} and low in ends:
                break
            if text in {"(", ")"}:
                depth += 1 if text == "(" else -1
                out.append(text)
                self.at += 1
            elif kind == "word" and low == "is":
                out.append(self.presence(out.pop()))
            elif kind == "word" and low == "in":
                self.at += 1
                out.append(f"IN {self.members()}")
            elif kind == "word" and (
                low in _KEYWORDS or (low in _FUNCTIONS and self.tokens[self.at + 1 : self.at + 2] == [("sign", "(")])
            ):
                out.append(low.upper() if low in _KEYWORDS else low)
                self.at += 1
            elif text in {"=", "<", ">", "<=", ">=", "<>", "!=", "+", "-", ","}:
                out.append("<>" if text == "!=" else text)
                self.at += 1
            else:
                out.append(self.operand())
        if not out:
            raise not_well_formed("an empty expression")
        return _joined(out)

    def presence(self, path: str) -> str:
        self.expect("is")
        present = self.is_next("not")
        self.at += present
        kind = self.word()
        if kind == "missing":
            return f"attribute_{'exists' if present else 'not_exists'}({path})"
        if kind == "null":
            test = f"attribute_type({path}, {self.value({'S': 'NULL'})})"
            return f"NOT {test}" if present else test
        raise not_well_formed(kind)

    def members(self) -> str:
        close = "]" if self.is_next("[") else ")"
        self.at += 1
        members = [self.operand()]
        while self.is_next(","):
            self.at += 1
            members.append(self.operand())
        self.expect(close)
        return f"({', '.join(members)})"

    def operand(self) -> str:
        kind, text = self.peek()
        if kind == "quoted" or (kind == "word" and text.lower() not in _LITERALS):
            return self.path()
        return self.value(self.literal())

    def path(self) -> str:
        parts = self.alias(self.name())
        while self.is_next(".") or self.is_next("["):
            if self.tokens[self.at][1] == ".":
                self.at += 1
                parts += f".{self.alias(self.name())}"
            else:
                self.at += 1
                parts += f"[{self.take('number')}]"
                self.expect("]")
        return parts

    def literal(self) -> dict[str, Any]:
        kind, text = self.peek()
        self.at += 1
        if text == "?" and kind == "sign":
            return dict(self.parameters.pop(0))
        if kind == "text":
            return {"S": _unquoted(text)}
        if kind == "number":
            return {"N": number(text)}
        if kind == "word" and text.lower() in _LITERALS:
            return dict(_LITERALS[text.lower()])
        if text == "[":
            return {"L": self.sequence("]")}
        if text == "<<":
            return _set(self.sequence(">>"))
        if text == "{":
            return {"M": self.map()}
        raise not_well_formed(text)

    def sequence(self, close: str) -> list[dict[str, Any]]:
        members: list[dict[str, Any]] = []
        while not self.is_next(close):
            members.append(self.literal())
            if not self.is_next(close):
                self.expect(",")
        self.expect(close)
        return members

    def map(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        while not self.is_next("}"):
            name = _unquoted(self.take("text"))
            self.expect(":")
            made[name] = self.literal()
            if not self.is_next("}"):
                self.expect(",")
        self.expect("}")
        return made

    # What has a name here.

    def alias(self, name: str) -> str:
        for alias, known in self.made.names.items():
            if known == name:
                return alias
        self.made.names[f"#n{len(self.made.names)}"] = name
        return f"#n{len(self.made.names) - 1}"

    def value(self, value: dict[str, Any]) -> str:
        self.made.values[f":v{len(self.made.values)}"] = value
        return f":v{len(self.made.values) - 1}"


def _without_brackets(text: str) -> str:
    inner = re.sub(r"\([^()]*\)", "", text)
    return inner if inner == text else _without_brackets(inner)


def _joined(parts: list[str]) -> str:
    text = " ".join(parts)
    for function in _FUNCTIONS:
        text = text.replace(f"{function} (", f"{function}(")
    return text.replace(" , ", ", ")


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _set(members: list[dict[str, Any]]) -> dict[str, Any]:
    kinds = {kind for member in members for kind in member}
    if len(kinds) != 1 or not kinds <= {"S", "N", "B"}:
        raise PartiqlError("A set has members of one type: strings, numbers or binaries")
    (kind,) = kinds
    return {f"{kind}S": [member[kind] for member in members]}
