"""Patches of Step Functions for JSONata."""

from __future__ import annotations

import json
import re
from typing import Any

from harness.inside.patches.declare import NAME, patch

_ASL = "localstack.services.stepfunctions.asl"
_NOT_AVAILABLE = re.compile(r"\$eval\s*\(")


@patch(f"{_ASL}.parse.preprocessor", {"Preprocessor": NAME})
def query_languages(module: Any) -> None:
    """LocalStack 4.9.2 keeps the query language of a definition that it has refused, and refuses the next ones."""
    if "_query_language_per_scope" in vars(module.Preprocessor):

        def made(self: Any) -> None:
            self._query_language_per_scope = []

        module.Preprocessor.__init__ = made


@patch(_ASL, {})
def java(_module: Any) -> None:
    """LocalStack loads JPype, and with it NumPy, for the Java machine that runs its JSONata."""
    from harness.inside.later import later  # noqa: PLC0415

    later("jpype", {"__path__": []})
    later("jpype.imports", {})


@patch(f"{_ASL}.jsonata.jsonata", {"_eval_jsonata": NAME, "encode_jsonata_variable_declarations": ("bindings",)})
def jsonata(module: Any) -> None:
    """LocalStack downloads a Java machine for JSONata, and takes the text of a variable for code."""

    def evaluated(expression: str) -> Any:
        from harness.inside.stepfunctions.jsonata import evaluated as in_python  # noqa: PLC0415

        return in_python(expression)

    def encoded(bindings: dict[str, Any]) -> str:
        return "".join(f"{name}:={json.dumps(value)};" for name, value in bindings.items())

    module._eval_jsonata = evaluated  # noqa: SLF001
    module.encode_jsonata_variable_declarations = encoded


@patch(f"{_ASL}.component.intrinsic.jsonata", {"_DECLARATION_BY_VARIABLE_REFERENCE": NAME})
def functions(module: Any) -> None:
    """LocalStack's $hash and $uuid return a text that says that they are not supported."""
    for name in ("$hash", "$uuid"):
        module._DECLARATION_BY_VARIABLE_REFERENCE.pop(name)  # noqa: SLF001


@patch(f"{_ASL}.component.common.string.string_expression", {"StringJSONata._eval_body": ("self", "env")})
def evaluation(module: Any) -> None:
    """What an expression fails with is States.Runtime in LocalStack."""
    original = module.StringJSONata._eval_body  # noqa: SLF001

    def eval_body(self: Any, env: Any) -> None:
        from localstack.services.stepfunctions.asl.jsonata.jsonata import JSONataException  # noqa: PLC0415

        from harness.inside.stepfunctions.failures import evaluation_failed  # noqa: PLC0415

        if _NOT_AVAILABLE.search(self.expression):
            raise evaluation_failed(env, self.expression, "The function $eval is not available")
        try:
            original(self, env)
        except JSONataException as error:
            raise evaluation_failed(env, self.expression, str(error)) from error

    module.StringJSONata._eval_body = eval_body  # noqa: SLF001


PATCHES = (java, query_languages, jsonata, functions, evaluation)
