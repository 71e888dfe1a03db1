"""E-mail addresses and telephone numbers from spoken words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.sales.contacts import email_in_words, phone_in_words, spoken_email, spoken_phone, web_addresses

OWN = "+13105550199"


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("anna dot miller at example dot com", "anna.miller@example.com"),
        ("My email is anna.miller@example.com.", "anna.miller@example.com"),
        ("it's a n n a at example dot com", "anna@example.com"),
        ("you can reach me at anna at example dot com", "anna@example.com"),
        ("anna two two at g mail dot com", "anna22@gmail.com"),
        ("sales at harbor bakery dot com", "sales@harborbakery.com"),
        ("info at my dash company dot co dot uk", "info@my-company.co.uk"),
        ("bob underscore five at example dot org", "bob_5@example.org"),
        ("oh yeah send it to jones at valley dot net", "jones@valley.net"),
        ("anna.miller at example.com", "anna.miller@example.com"),
    ],
)
def test_a_spoken_address_is_read(text: str, email: str) -> None:
    assert spoken_email(text) == email


@pytest.mark.parametrize(
    "text",
    [
        "anna miller at example dot com",
        "reach me at example dot com",
        "I work at example dot com",
        "at ten",
        "anna at gmail",
        "anna dot miller at",
        "anna at example dot com or bob at example dot com",
        "we meet at noon dot",
        "",
    ],
)
def test_what_could_be_two_addresses_or_none_is_none(text: str) -> None:
    assert spoken_email(text) == ""


_ATOM = st.from_regex(r"[b-hj-z]{2,8}", fullmatch=True)


@given(st.lists(_ATOM, min_size=1, max_size=3), st.sampled_from("._-+"), _ATOM)
def test_an_address_read_out_is_understood_as_itself(local: list[str], mark: str, host: str) -> None:
    email = f"{mark.join(local)}@{host}.com"
    heard = spoken_email(email_in_words(email))
    assert heard in (email, "")


def test_an_address_is_read_out_word_by_word() -> None:
    assert email_in_words("anna.miller2@my-host.com") == "anna dot miller two at my dash host dot com"


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("five five five, zero one four two", "+13105550142"),
        ("two one two five five five oh one forty two", "+12125550142"),
        ("(212) 555-0142", "+12125550142"),
        ("plus one two one two double five five zero one four two", "+12125550142"),
        ("eight hundred five five five zero one four two", "+18005550142"),
        ("2 1 2 5 5 5 0 1 4 2", "+12125550142"),
        ("plus four four two oh seven nine four six oh one two three", "+44" + "2079460123"),
    ],
)
def test_a_dictated_number_is_read(text: str, phone: str) -> None:
    assert spoken_phone(text, OWN) == phone


@pytest.mark.parametrize(
    "text",
    [
        "one nine hundred five five five zero one four two",
        "900 555 0142",
        "five five five",
        "twelve people",
        "five five five zero one four two or two one two five five five zero one four two",
        "plus nine nine nine nine nine nine nine nine",
        "",
    ],
)
def test_premium_doubtful_and_impossible_numbers_are_none(text: str) -> None:
    assert spoken_phone(text, OWN) == ""


def test_a_number_is_read_out_in_groups() -> None:
    assert phone_in_words("+12125550142") == "two one two, five five five, zero one four two"


def test_hosts_and_addresses_are_found_spoken_and_written() -> None:
    assert web_addresses("Write to info at bluefinch dot com.") == {"info@bluefinch.com", "bluefinch.com"}
    assert web_addresses("See bluefinch.com") == {"bluefinch.com"}
    assert web_addresses("We meet at ten.") == set()


@given(st.text())
def test_any_text_can_be_read_for_contacts(text: str) -> None:
    assert isinstance(spoken_email(text), str)
    assert isinstance(spoken_phone(text, OWN), str)
    web_addresses(text)
