"""Fields from code: schemas, models, columns and keys. The code is read, never run."""

from __future__ import annotations

import re
import textwrap
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.draft.code import fields_of_code
from harness.draft.guess import recent
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


def test_a_module_is_found_by_its_whole_name_before_one_that_is_called_like_its_end(tmp_path):
    files = {
        "mine/handlers/take.py": "from other.transforms import x\nfrom mine.transforms import y\n",
        "mine/transforms.py": "from other import transforms\n",
        "other/transforms.py": MODELS,
    }
    assert fields(tmp_path, files, "mine/handlers/take.py")[0] == "the model Order"
    assert fields(tmp_path, files, "mine/transforms.py")[0] == "the model Order"


VALIDATED = """
    import re
    from datetime import date, datetime
    from typing import Annotated, Literal
    from pydantic import AfterValidator, BaseModel, BeforeValidator, StringConstraints, field_validator
    from typing_extensions import TypedDict

    _WHOLE = re.compile(r"\\d{3}", re.ASCII)

    def _whole(value):
        if isinstance(value, bool) or not _WHOLE.fullmatch(str(value)):
            raise ValueError("expected a whole number")
        return value

    def _day(value):
        datetime.strptime(value, "%m/%d/%y")
        return value

    def _odd(value):
        return value

    Day = Annotated[str, AfterValidator(_day)]
"""


def test_what_validators_ask_of_a_field_is_followed(tmp_path):
    model = (
        VALIDATED
        + """
    class Order(BaseModel):
        order_id: str
        units: Annotated[str, BeforeValidator(_whole)]
        shipped: Day
        odd: Annotated[int, AfterValidator(_odd)]
        at: str
        code: str

        @field_validator("at")
        @classmethod
        def _moment(cls, value):
            return datetime.fromisoformat(value)

        @field_validator("code")
        @classmethod
        def _code(cls, value):
            assert re.match("^[A-Z]{2}$", value)
            return value
"""
    )
    said, found = fields(tmp_path, {"app.py": model})
    assert said == "the model Order"
    assert {name: field["type"] for name, field in found.items()} == {
        "order_id": "uuid", "units": "choice", "shipped": "date", "odd": "int", "at": "datetime", "code": "choice",
    }  # fmt: skip
    assert found["shipped"]["format"] == "%m/%d/%y"
    assert all(re.fullmatch(r"\d{3}", text) for text in found["units"]["of"])
    assert all(re.fullmatch("[A-Z]{2}", text) for text in found["code"]["of"])


def test_a_typed_dict_that_is_called_has_names_with_blanks(tmp_path):
    model = (
        VALIDATED
        + """
    Order = TypedDict("Order", {"id": Annotated[str, StringConstraints(pattern="^[0-9]{5}$")], "Ship Date": Day, "Sales Channel": Literal["Online", "Offline"]})
"""
    )
    said, found = fields(tmp_path, {"app.py": model})
    assert (said, list(found)) == ("the model Order", ["id", "Ship Date", "Sales Channel"])
    assert (found["Ship Date"]["format"], found["Sales Channel"]["of"]) == ("%m/%d/%y", ["Online", "Offline"])


def test_columns_may_have_blanks_and_a_name_may_say_that_it_is_a_day(tmp_path):
    said, found = fields(tmp_path, {"app.py": 'COLUMNS = ("uuid", "Order Date", "valid_from")\n'})
    assert said == "the columns that the code names"
    assert {name: one["type"] for name, one in found.items()} == {"uuid": "uuid", "Order Date": "datetime", "valid_from": "date"}


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


def test_what_nothing_says_of_when_it_was_is_of_yesterday_and_today():
    moment, known = {"type": "datetime"}, {"type": "date", "min": "2020-01-01", "max": "2020-01-02"}
    fields = {"at": moment, "on": known, "in": {"type": "nested", "fields": {"at": moment}}, "all": {"type": "list", "of": moment}}
    of = {"type": "datetime", "min": "2026-03-01", "max": "2026-03-02"}
    found = recent(fields, date(2026, 3, 2))
    assert found == {"at": of, "on": known, "in": {"type": "nested", "fields": {"at": of}}, "all": {"type": "list", "of": of}}
