"""Fields from code: schemas, models, columns and keys. The code is read, never run."""

from __future__ import annotations

import re
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.draft.code import fields_of_code, form_of_files
from harness.draft.patterns import examples


def fields(tmp_path, files, handler="app.py"):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return fields_of_code([tmp_path / handler])


MODELS = """
    from enum import Enum
    from typing import Annotated, List, Literal, Optional
    import uuid
    from pydantic import BaseModel, Field, StringConstraints

    Code = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]

    class Colour(Enum):
        RED = "red"
        BLUE = "blue"

    class Line(BaseModel):
        sku: Code
        units: int = Field(ge=2, lt=5)

    class Order(BaseModel):
        model_config = {}
        order_id: uuid.UUID = Field(alias="orderId")
        kind: Literal["a", "b"]
        colour: Colour
        price: float = Field(gt=0, le=10)
        lines: List[Line]
        note: Optional[str] = None
        more: "dict | None" = None
        short: str = Field(max_length=3)
        parent: "Order | None" = None
"""


def test_a_pydantic_model_gives_its_fields_with_their_bounds(tmp_path):
    said, found = fields(tmp_path, {"app.py": "from shared.models import Order\n", "shared/models.py": MODELS})
    assert said == "the model Order"
    assert {name: field["type"] for name, field in found.items()} == {
        "orderId": "uuid", "kind": "choice", "colour": "choice", "price": "decimal", "lines": "list", "note": "choice", "more": "choice",
        "short": "choice", "parent": "choice",
    }  # fmt: skip
    assert (found["kind"]["of"], found["colour"]["of"], found["short"]["of"]) == (["a", "b"], ["red", "blue"], ["alp", "bet"])
    assert (found["price"]["min"], found["price"]["max"]) == (1, 10)
    line = found["lines"]["of"]["fields"]
    assert line["units"] == {"type": "int", "min": 2, "max": 4}
    assert all(re.fullmatch(r"[A-Z]{3}", text) for text in line["sku"]["of"])


def test_a_json_schema_in_the_code_goes_before_a_model(tmp_path):
    schema = """
        SCHEMA = {"type": "object", "required": ["id"], "properties": {
            "id": {"type": "string", "format": "uuid"}, "state": {"enum": ["on", "off"]}, "level": {"type": "integer", "minimum": 3, "maximum": 4},
            "at": {"type": ["string", "null"], "format": "date-time"}, "code": {"type": "string", "pattern": "^x[0-9]$"},
            "tags": {"type": "array", "items": {"type": "boolean"}}, "inner": {"type": "object", "properties": {"ratio": {"type": "number"}}},
        }}
    """
    said, found = fields(tmp_path, {"app.py": textwrap.dedent(schema) + textwrap.dedent(MODELS)})
    assert said == "the JSON schema in app.py"
    assert {name: field["type"] for name, field in found.items()} == {
        "id": "uuid", "state": "choice", "level": "int", "at": "datetime", "code": "choice", "tags": "list", "inner": "nested",
    }  # fmt: skip
    assert all(re.fullmatch(r"x[0-9]", text) for text in found["code"]["of"])


def test_columns_then_keys_that_the_code_reads_of_a_record(tmp_path):
    keys = "def handler(event, context):\n    for r in event['Records']:\n        order = loads(r['body'])\n        x = order['orderId'], order.get('price')\n"
    assert fields(tmp_path, {"app.py": keys + "        y = response['Failed'], os.environ['TABLE']\n"}) == (
        "the keys that the code reads",
        {"orderId": {"type": "uuid"}, "price": {"type": "decimal", "min": 1, "max": 500, "places": 2}},
    )
    assert list(fields(tmp_path, {"app.py": 'COLUMNS = ("sku", "price")\n' + keys})[1]) == ["sku", "price"]


def test_keys_of_javascript(tmp_path):
    code = "exports.handler = async (event) => { const { orderId, total: sum } = JSON.parse(event.body); const body = {}; return body.customerEmail; };\n"
    assert list(fields(tmp_path, {"index.js": code}, "index.js")[1]) == ["orderId", "total", "customerEmail"]


def test_code_that_says_nothing_or_is_broken_gives_nothing(tmp_path):
    assert fields(tmp_path, {"app.py": "def handler(:\n"}) == ("", {})
    assert fields_of_code([]) == ("", {})


@pytest.mark.parametrize(
    ("suffix", "code", "form"),
    [
        (".csv", "", "csv"),
        (".json", "import csv\n", "events"),
        ("", "import csv\n", "csv"),
        ("", "for line in body.splitlines():\n    pass\n", "ndjson"),
        ("", "json.loads(body)\n", "events"),
    ],
)
def test_the_format_of_files_is_that_of_their_keys_or_of_the_code(tmp_path, suffix, code, form):
    path = tmp_path / "app.py"
    path.write_text(code)
    assert form_of_files(suffix, [path], []) == form


@given(
    st.sampled_from(
        [r"^[A-F]?[+-]?$", r"ORD-\d{4,6}", r"(?:red|blue)-\w+", r"[^a]x{2,}", r"^\S+@\w+\.(com|org)$", r".{3}", r"a|b|c"]
    )
)
def test_examples_match_their_pattern(pattern):
    found = examples(pattern)
    assert found
    assert all(re.search(pattern, text) for text in found)


@pytest.mark.parametrize("pattern", ["(", r"(?<=a)b(?!c)\Bz", ""])
def test_a_pattern_that_cannot_be_served_has_no_example(pattern):
    assert examples(pattern) == []
