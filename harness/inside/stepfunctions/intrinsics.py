"""Intrinsic functions: their arguments as they are written, and States.Format.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from localstack.services.stepfunctions.asl.component.common.query_language import QueryLanguageMode
from localstack.services.stepfunctions.asl.component.common.string.string_expression import StringVariableSample
from localstack.services.stepfunctions.asl.component.intrinsic.argument.argument import (
    ArgumentContextPath,
    ArgumentFunction,
    ArgumentJsonPath,
    ArgumentList,
    ArgumentLiteral,
    ArgumentVar,
)
from localstack.services.stepfunctions.asl.component.intrinsic.function.statesfunction.factory import StatesFunctionFactory
from localstack.services.stepfunctions.asl.component.intrinsic.functionname.state_function_name_types import StatesFunctionNameType
from localstack.services.stepfunctions.asl.component.intrinsic.functionname.states_function_name import StatesFunctionName

if TYPE_CHECKING:
    from collections.abc import Callable

_ARGUMENTS = (
    (re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL), "text"),
    (re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?=\s*[,)])"), "json"),
    (re.compile(r"(?:true|false|null)(?=\s*[,)])"), "json"),
    (re.compile(r"\$(?:\[(?:'[^']*'|\"[^\"]*\"|[^\]'\"])*\]|[^\[\],()\s]|\([^)]*\))*"), "path"),
)
_NAME = re.compile(r"States\.(\w+)\s*\(")
_BLANK = re.compile(r"\s*")
# Of a template: a character that is escaped, a place for an argument, or anything else.
_PIECE = re.compile(r"\\(?P<escaped>[\\{}'])|(?P<place>\{\})", re.DOTALL)


class Template(ArgumentLiteral):
    """A text in quotation marks. States.Format needs it as it is written, every other function without its escapes."""

    def __init__(self, written: str) -> None:
        super().__init__(definition_value=re.sub(r"\\(.)", r"\1", written, flags=re.DOTALL))
        self.written = written


def parsed(source: str) -> Any:
    """Returns LocalStack's function for `States.Name(…)`. Raises ValueError."""
    function, end = _function(source, 0)
    if source[end:].strip():
        message = f"{source!r} is no intrinsic function: {source[end:]!r} follows it"
        raise ValueError(message)
    return function


def formatted(template: str, values: list[Any], written: Callable[[Any], str]) -> str:
    """Returns a template of States.Format with its values. Raises ValueError where they are too few or too many."""
    left = list(reversed(values))
    places = sum(match["place"] is not None for match in _PIECE.finditer(template))
    if places != len(values):
        message = f"the template has {places} places, and there are {len(values)} values"
        raise ValueError(message)
    return _PIECE.sub(lambda match: match["escaped"] or written(left.pop()), template)


def format_body(self: Any, env: Any) -> None:
    """Evaluates a States.Format, in the place of StringFormat._eval_body."""
    self.argument_list.eval(env=env)
    template, *values = env.stack.pop()
    first = self.argument_list.arguments[0]
    if not isinstance(template, str):
        message = "the template is no text"
        raise TypeError(message)
    env.stack.append(formatted(first.written if isinstance(first, Template) else template, values, self._to_str_repr))


def _function(source: str, start: int) -> tuple[Any, int]:
    name = _NAME.match(source, start)
    if name is None or name[1] not in StatesFunctionNameType.__members__:
        message = f"{source!r}: no intrinsic function begins at {source[start : start + 20]!r}"
        raise ValueError(message)
    arguments: list[Any] = []
    at = _past_blanks(source, name.end())
    while not source.startswith(")", at):
        if arguments:
            if not source.startswith(",", at):
                message = f"{source!r}: expected a comma or a closing bracket at {source[at : at + 20]!r}"
                raise ValueError(message)
            at = _past_blanks(source, at + 1)
        argument, at = _argument(source, at)
        arguments.append(argument)
        at = _past_blanks(source, at)
    typed = StatesFunctionName(function_type=StatesFunctionNameType[name[1]])
    return StatesFunctionFactory.from_name(func_name=typed, argument_list=ArgumentList(arguments=arguments)), at + 1


def _argument(source: str, start: int) -> tuple[Any, int]:
    for pattern, kind in _ARGUMENTS:
        found = pattern.match(source, start)
        if found is not None:
            return _simple(found[pattern.groups], kind), found.end()
    function, end = _function(source, start)
    return ArgumentFunction(function=function), end


def _simple(text: str, kind: str) -> Any:
    if kind == "text":
        return Template(text)
    if kind == "json":
        return ArgumentLiteral(definition_value=json.loads(text))
    if text.startswith("$$"):
        return ArgumentContextPath(context_path=text)
    if text == "$" or text[1] in ".[":
        return ArgumentJsonPath(json_path=text)
    return ArgumentVar(StringVariableSample(query_language_mode=QueryLanguageMode.JSONPath, expression=text))


def _past_blanks(source: str, start: int) -> int:
    found = _BLANK.match(source, start)
    return found.end() if found else start
