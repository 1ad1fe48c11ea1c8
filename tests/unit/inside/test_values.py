"""Numbers of DynamoDB have one form each."""

from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from localstack.aws.api import CommonServiceException

from harness.inside.dynamodb.values import normalize, number

NUMBERS = st.builds(
    lambda digits, power: Decimal(digits).scaleb(power), st.integers(-(10**38) + 1, 10**38 - 1), st.integers(-90, 80)
)


@given(NUMBERS, st.integers(0, 5))
def test_a_number_has_one_form_whatever_zeros_and_exponents_it_comes_with(exact, zeros):
    form = number(str(exact))
    assert Decimal(form) == exact
    assert number(form) == form
    plain = format(exact, "f")
    assert number(plain + ("." if "." not in plain else "") + "0" * zeros) == form
    assert number(f"{exact.normalize(Context(prec=100)):E}") == form


@pytest.mark.parametrize(
    ("text", "form"),
    [("007.500", "7.5"), ("1E0", "1"), ("-0", "0"), ("-0.0", "0"), ("1e3", "1000"), ("12", "12"), ("-0.5", "-0.5"), ("+3", "3")],
)
def test_forms(text, form):
    assert number(text) == form


@pytest.mark.parametrize("text", ["", "abc", "1E126", "1E-131", "NaN", "Infinity", "1" * 39, "1,5"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(CommonServiceException) as refused:
        number(text)
    assert refused.value.code == "ValidationException"


def test_the_values_of_a_request_are_changed_in_place():
    request = {"Item": {"N": {"N": "1.0"}, "l": {"L": [{"NS": ["2.0", "3"]}]}, "m": {"M": {"S": {"S": "1.0"}}}}}
    assert normalize(request)
    assert request == {"Item": {"N": {"N": "1"}, "l": {"L": [{"NS": ["2", "3"]}]}, "m": {"M": {"S": {"S": "1.0"}}}}}
    assert not normalize(request)


@pytest.mark.parametrize("value", [{"SS": []}, {"NS": ["1", "1.0"]}, {"SS": ["a", "a"]}, {"BS": [b"a", b"a"]}])
def test_a_set_is_not_empty_and_has_nothing_twice(value):
    with pytest.raises(CommonServiceException):
        normalize({"Item": {"x": value}})
