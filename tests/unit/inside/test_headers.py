"""The headers of an answer that is made from another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rolo import response

from harness.inside.patches import gateway

OF_ROLO = response.Response.update_from


def ours():
    with pytest.MonkeyPatch.context() as kept:
        kept.setattr(response.Response, "update_from", OF_ROLO)
        gateway.answers.apply(response)
        return response.Response.update_from


def updated(update, before, after):
    answer, other = response.Response(), response.Response("body", 201)
    answer.headers[:], other.headers[:] = before, after
    other.call_on_close(print)
    update(answer, other)
    # Which of two names comes first means nothing.
    by_name = sorted((name.lower(), position, value) for position, (name, value) in enumerate(answer.headers))
    return answer.status_code, answer.data, len(answer._on_close), [(name, value) for name, _, value in by_name]


@given(
    st.lists(st.tuples(st.sampled_from(["Content-Type", "x-a", "X-A", "Set-Cookie"]), st.sampled_from("12"))),
    st.lists(st.tuples(st.sampled_from(["content-type", "x-a", "X-B", "Set-Cookie"]), st.sampled_from("34"))),
)
def test_an_answer_has_the_headers_of_the_one_that_it_is_updated_from(before, after):
    assert updated(ours(), before, after) == updated(OF_ROLO, before, after)
