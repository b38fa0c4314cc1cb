"""By which other numbers a person may already be known."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType

from shared.phone_numbers import candidates

fuzz = settings(max_examples=200, deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("558290000001", "5582990000001"),
        ("551161234567", "5511961234567"),
        ("525512345678", "5215512345678"),
        ("541123456789", "5491123456789"),
    ],
)
def test_each_form_of_a_mobile_number_leads_to_the_other(old: str, new: str) -> None:
    assert candidates("wa_phone", old) == (old, new)
    assert candidates("wa_phone", new) == (new, old)


@pytest.mark.parametrize(
    "value",
    [
        "551133224455",  # a Brazilian landline
        "5511933224455",  # a Brazilian mobile that never had eight digits
        "550090000001",  # no area code
        "55829000000",  # too short
        "55829900000011",  # too long
        "521512345678",  # a Mexican area does not begin with 1
        "5211512345678",
        "16505551234",
        "351912345678",
        "",
        "Maria",
        "+5582990000001",
        "٥٥٨٢٩٠٠٠٠٠٠١",
    ],
)
def test_any_other_number_leads_to_itself_only(value: str) -> None:
    assert candidates("wa_phone", value) == (value,)


@pytest.mark.parametrize("kind", ["wa_bsuid", "wa_group", "tg_user", "email"])
def test_an_address_of_another_kind_leads_to_itself_only(kind: str) -> None:
    assert candidates(kind, "558290000001") == ("558290000001",)


@given(value=st.from_regex(r"5[245][0-9]{9,12}", fullmatch=True) | st.text())
@fuzz
def test_whoever_is_found_by_one_form_is_found_by_the_other(value: str) -> None:
    found = candidates("wa_phone", value)
    assert found[0] == value
    assert all(set(candidates("wa_phone", other)) == set(found) for other in found)


@given(ddd=st.sampled_from(["11", "21", "31", "51", "61", "71", "82", "92"]), local=st.integers(20_000_000, 99_999_999))
@fuzz
def test_libphonenumber_takes_brazilian_landlines_for_what_they_are(ddd: str, local: int) -> None:
    value = f"55{ddd}{local}"
    is_landline = phonenumbers.number_type(phonenumbers.parse(f"+{value}")) == PhoneNumberType.FIXED_LINE
    assert not is_landline or candidates("wa_phone", value) == (value,)


@given(ddd=st.sampled_from(["11", "21", "31", "51", "61", "71", "82", "92"]), local=st.integers(60_000_000, 99_999_999))
@fuzz
def test_libphonenumber_takes_the_inserted_nine_for_a_mobile(ddd: str, local: int) -> None:
    _, new = candidates("wa_phone", f"55{ddd}{local}")
    assert phonenumbers.number_type(phonenumbers.parse(f"+{new}")) == PhoneNumberType.MOBILE
