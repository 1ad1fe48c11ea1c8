"""Price lists: every row is a price or a failed row, and only links that were signed decide."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from pipeline.approvals.transforms import COLUMNS, DECISIONS, dump, is_signed, link, load, sort_out
from pipeline.files.rows import lines, rows

BYTES = st.binary(max_size=200) | st.text(alphabet='A1,"\n\r.-EUR', max_size=200).map(str.encode)
ROWS = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=5),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=5),
        st.decimals(0, 1000, places=2, allow_nan=False).map(str) | st.just("free"),
        st.sampled_from(["EUR", "usd"]),
        st.dates().map(str) | st.just("soon"),
    ),
    max_size=6,
)
TEXT = st.text(min_size=1, max_size=40)


def written(table):
    return "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in table).encode()


@given(BYTES | ROWS.map(written))
def test_every_row_is_in_exactly_one_of_the_two_and_a_key_is_stored_once(body):
    read = list(rows(lines([body]), len(COLUMNS)))
    good, bad = sort_out(read)
    assert sorted([*(price.line for price in good), *(row.line for row in bad)]) == [row.line for row in read]
    assert len({price.key for price in good}) == len(good)
    assert load(dump(good)) == [price._replace(values=list(price.values)) for price in good]


@given(TEXT, TEXT, st.sampled_from(DECISIONS))
def test_a_link_decides_what_it_says_about_its_own_task_and_nothing_else(key, token, decision):
    query = {
        name: values[0] for name, values in parse_qs(urlsplit(link("https://x/y", key.encode(), token, decision)).query).items()
    }
    assert is_signed(key.encode(), query["token"], query["decision"], query["signature"])
    other = next(one for one in DECISIONS if one != decision)
    assert not is_signed(key.encode(), token, other, query["signature"])
    assert not is_signed(key.encode(), token + "x", decision, query["signature"])
    assert not is_signed(key.encode() + b"x", token, decision, query["signature"])
    assert not is_signed(key.encode(), token, decision, "é")
    assert not is_signed(key.encode(), token, "delete", query["signature"])
