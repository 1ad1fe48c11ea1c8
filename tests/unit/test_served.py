"""Paged APIs that pipelines fetch from."""

from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from harness.faults.window import Window
from harness.served import Api, Other

KEY = "key"


def ask(api, key=KEY, cursor=""):
    """An answer that arrives."""
    answer = api.answer(key, cursor, "")
    api.served(answer.shown)
    return answer


def fetched(api, *, most=200):
    """All items that a patient client gets, page after page; a page that is none is asked for again."""
    found, cursor = [], ""
    for _ in range(most):
        answer = ask(api, cursor=cursor)
        if answer.status != 200:
            cursor = "" if answer.status == 410 else cursor
            continue
        try:
            page = json.loads(answer.body)
        except ValueError:
            continue
        found += page["items"]
        cursor = page["next"]
        if not page["more"]:
            return found
    raise AssertionError(f"no end after {most} requests")


def records(count):
    return [
        (json.dumps({"id": number, "at": "2026-01-02T00:00:00Z", "name": "now"}).encode(), number % 3 > 0)
        for number in range(count)
    ]


@given(st.integers(0, 40), st.integers(1, 9))
def test_the_pages_have_each_record_once_in_its_order(count, size):
    api = Api(KEY, size)
    api.add(records(count))
    assert [item["id"] for item in fetched(api)] == list(range(count))
    assert None not in api.told(0)["served"]


OTHERS = st.lists(
    st.builds(
        Other,
        st.sampled_from(["unauthorized", "throttled", "error", "truncated", "expired", "shuffled", "stale", "superseded"]),
        st.integers(1, 12).map(lambda number: Window.parse(str(number))),
    ),
    max_size=5,
)


@given(st.integers(1, 30), st.integers(1, 9), OTHERS)
def test_whatever_else_is_answered_a_patient_client_gets_every_record_and_never_one_that_was_not_there(count, size, others):
    api = Api(KEY, size, others, "at", {"name": "then"})
    api.add(records(count))
    found = fetched(api)
    assert {item["id"] for item in found if item["name"] == "now"} == set(range(count))
    older = [item for item in found if item["name"] == "then"]
    # An hour before, and by the clock of another place half a day behind.
    assert all(item["at"] == "2026-01-02T13:00:00+14:00" and item["id"] % 3 for item in older)
    assert bool(older) <= any(other.answer in {"stale", "superseded"} for other in others)
    # Each of the other answers counts the requests that it met; those of one number go to the first of them.
    assert all(met in {0, 1} for met in api.told(0)["met"])


def test_an_answer_counts_only_where_it_is_another_one():
    api = Api(KEY, 2, [Other("stale", Window.parse("2, 5")), Other("shuffled", Window.parse("3, 4"))], "at", {"name": "then"})
    api.add(records(4))
    first = json.loads(ask(api).body)
    second = json.loads(ask(api, cursor=first["next"]).body)
    # The older versions of the page before, of which one can have none, and of one record of the page itself.
    assert [(item["id"], item["name"]) for item in second["items"]] == [(2, "now"), (3, "now"), (1, "then"), (2, "then")]
    assert api.told(0)["met"] == [1, 0]
    again = json.loads(ask(api, cursor=first["next"]).body)
    assert [item["id"] for item in again["items"]] == [3, 2, 1]
    # A page without a record is the same in any order.
    assert json.loads(ask(api, cursor=second["next"]).body)["items"] == []
    assert api.told(0)["met"] == [1, 1]


def test_a_superseded_version_comes_before_the_newest():
    api = Api(KEY, 2, [Other("superseded", Window.parse("1, 3"))], "at", {"name": "then"})
    api.add(records(5))
    first = json.loads(ask(api).body)
    shown = [(item["id"], item["name"]) for item in first["items"]]
    assert shown == [(1, "then"), (0, "now"), (1, "now"), (2, "then")]
    second = json.loads(ask(api, cursor=first["next"]).body)
    assert [item["name"] for item in second["items"]] == ["now", "now"]
    # Behind the last page there is nothing.
    assert [item["name"] for item in json.loads(ask(api, cursor=second["next"]).body)["items"]] == ["then", "now"]
    assert api.told(0)["met"] == [1]


def test_older_versions_of_a_pages_own_records_are_no_other_answer():
    api = Api(KEY, 3, [Other("stale", Window.parse("1"))], "at", {"name": "then"})
    api.add(records(3))
    assert [item["name"] for item in json.loads(ask(api).body)["items"]] == ["now", "now", "now", "then"]
    assert api.told(0)["met"] == [0]


def test_half_a_page_is_served_once_the_client_asks_for_what_comes_after_it():
    api = Api(KEY, 2, [Other("truncated", Window.parse("1"))])
    api.add(records(3))
    ask(api)
    assert api.told(0)["served"] == [None, None, None]
    ask(api, cursor=base64.urlsafe_b64encode(b"2").decode())
    assert None not in api.told(0)["served"]


def test_without_the_key_no_page_is_answered_and_a_wrong_cursor_is_refused():
    api = Api(KEY, 5)
    api.add(records(3))
    assert ask(api, "another").status == 401
    assert ask(api, cursor="no cursor").status == 400
    assert api.told(0)["served"] == [None, None, None]


def test_what_is_added_later_comes_after_the_last_cursor():
    api = Api(KEY, 5)
    api.add(records(3))
    cursor = json.loads(ask(api).body)["next"]
    api.add(records(2))
    assert [item["id"] for item in json.loads(ask(api, cursor=cursor).body)["items"]] == [0, 1]


def test_a_cursor_expires_only_where_there_is_one():
    api = Api(KEY, 1, [Other("expired", Window.parse("1-2"))])
    api.add(records(2))
    first = ask(api)
    assert (first.status, api.told(0)["met"]) == (200, [0])
    assert ask(api, cursor=json.loads(first.body)["next"]).status == 410
    assert api.told(0)["met"] == [1]


def test_a_page_counts_once_it_is_written():
    api = Api(KEY, 2)
    api.add(records(2))
    answer = api.answer(KEY, "", "")
    assert api.told(0)["served"] == [None, None]
    api.served(answer.shown)
    assert None not in api.told(0)["served"]
