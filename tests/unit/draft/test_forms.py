"""The form of a bucket's files, as the code reads them."""

from __future__ import annotations

import textwrap

import pytest

from harness.draft.code import trees_of
from harness.draft.forms import form_of_files


def form(tmp_path, code, suffix="", name="app.py"):
    path = tmp_path / name
    path.write_text(textwrap.dedent(code))
    return form_of_files(suffix, [path], [], trees_of([path]))


@pytest.mark.parametrize(
    ("suffix", "code", "expected"),
    [
        (".csv", "", "csv"),
        (".json", "import csv\n", "events"),
        ("", "import csv\n", "csv"),
        ("", "for line in body.splitlines():\n    pass\n", "ndjson"),
        ("", "json.loads(body)\n", "events"),
    ],
)
def test_the_format_of_files_is_that_of_their_keys_or_of_the_code(tmp_path, suffix, code, expected):
    assert form(tmp_path, code, suffix) == (expected, None)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(body):\n    for one in json.loads(body):\n        store(one)\n", ("json", None)),
        ("def f(body):\n    orders = json.loads(body)\n    return [one['id'] for one in orders]\n", ("json", None)),
        ("def f(body):\n    orders = json.load(body)['orders']\n    return [one['id'] for one in orders]\n", ("json", "orders")),
        ("def f(body):\n    document = json.loads(body)\n    for one in document.get('rows', []):\n        store(one)\n", ("json", "rows")),
        ("def f(body):\n    x = json.loads(body)\n    x = x['a'] if isinstance(x, dict) else x\n    assert isinstance(x, list)\n", ("json", None)),
        ("D = json.JSONDecoder()\ndef f(text):\n    try:\n        d = D.decode(text)\n    except ValueError:\n        raise\n    return list(map(store, [one for one in d]))\n", ("json", None)),
        # What the function is given besides, a record, one with a list in it, and the lists of Lambda's events.
        ("def f(body):\n    order = json.loads(body)\n    for line in order['lines']:\n        store(order['id'], line)\n", ("events", None)),
        ("def f(body):\n    allowed = json.loads(os.environ['A'])\n    order = json.loads(body)\n    return [a for a in allowed], len(order)\n", ("events", None)),
        ("def f(body):\n    other = json.loads(read())\n    order = json.loads(body)\n    return [a for a in other], order['id']\n", ("events", None)),
        ("def f(body):\n    order = json.loads(body)\n    return order['id']\n", ("events", None)),
        ("def f(event):\n    for one in json.loads(event['body'])['Records']:\n        store(one)\n", ("events", None)),
        ("def f(event):\n    for one in event['Records']:\n        store(json.loads(one['body']))\n", ("events", None)),
        ("def f(text):\n    for one in text.decode('utf-8'):\n        store(one)\n", ("events", None)),
    ],
)  # fmt: skip
def test_a_list_that_the_code_goes_through_is_the_form_of_the_file(tmp_path, code, expected):
    assert form(tmp_path, code) == expected
    assert form(tmp_path, code, ".json") == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("const rows = JSON.parse(text);\nfor (const row of rows) { store(row); }\n", ("json", None)),
        ("const data = JSON.parse(await read());\nawait Promise.all(data.orders.map(store));\n", ("json", "orders")),
        ("const order = JSON.parse(text);\nstore(order.id);\n", ("events", None)),
        ("const order = JSON.parse(text);\nfor (const line of order.lines) { store(order.id, line); }\n", ("events", None)),
        ("const note = JSON.parse(text);\nfor (const one of note.Records) { store(one); }\n", ("events", None)),
    ],
)
def test_a_list_that_javascript_goes_through(tmp_path, code, expected):
    assert form(tmp_path, code, name="app.mjs") == expected
