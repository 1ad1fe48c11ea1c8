"""One parser reads all JSON paths, and reads each as a new parser does."""

from __future__ import annotations

from types import SimpleNamespace

import jsonpath_ng.ext.parser
import jsonpath_ng.parser
import pytest
from jsonpath_ng.exceptions import JsonPathLexerError, JsonPathParserError

from harness.inside.patches import stepfunctions

PATHS = [
    "$",
    "$.a",
    "$.a.b[0]",
    "$.a[*].b",
    "$..c",
    "$['x y']",
    "$.a[1:3]",
    "$$.Map.Item.Value".removeprefix("$"),
    "$.a",
    "$.records[-1].id",
]
FILTERS = ["$.a[?(@.b > 1)]", "$.a[?(@.name == 'x')].id"]
WRONG = ["$.", "$.a[", "$.a b", "a..", "$.\x00"]


@pytest.mark.parametrize(
    ("module", "parser", "more"),
    [(jsonpath_ng.parser, "JsonPathParser", []), (jsonpath_ng.ext.parser, "ExtentedJsonPathParser", FILTERS)],
)
def test_paths_are_read_as_by_a_parser_of_their_own_also_after_a_wrong_one(module, parser, more):
    makes = getattr(module, parser)
    made = []
    patched = SimpleNamespace(**{parser: lambda *given: made.append(given) or makes(*given)})
    stepfunctions._json_paths(parser)(patched)

    def read(parse, path):
        try:
            return parse(path)
        except (JsonPathParserError, JsonPathLexerError) as error:
            return str(error)

    for path in [*PATHS, *WRONG, *more, *PATHS]:
        assert read(patched.parse, path) == read(lambda path: makes().parse(path), path)
    assert len(made) == 1
