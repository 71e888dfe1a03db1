"""Signatures, against Twilio's published vector and against its own library."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from telephony_agent.simulator.signing import sign, signed_url

FORM = (
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675310"),
    ("Digits", "1234"),
    ("From", "+14158675310"),
    ("To", "+18005551212"),
)


def test_the_published_vector_is_reproduced() -> None:
    assert sign("https://example.com/myapp.php?foo=1&bar=2", FORM, "12345") == "L/OH5YylLD5NRKLltdqwSvS0BnU="


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        ("wss://example.com/media", "7PR3qMkpDyEJtMrVOY/LDyNq8J8="),
        ("wss://example.com/media/", "T+WBXwUXC0/CyoZ1DA+p9ilZORs="),
        ("https://example.com/media", "6HZQ7Cq/dSYDCAiy3qRA6PZfACI="),
    ],
)
def test_a_media_stream_is_signed_over_its_url_alone(url: str, signature: str) -> None:
    assert sign(url, (), "12345") == signature


@given(st.dictionaries(st.text(min_size=1, alphabet=st.characters(codec="utf-8")), st.text(), max_size=6))
def test_any_form_is_signed_as_twilios_library_expects(form: dict[str, str]) -> None:
    url = "https://example.com/twilio/voice"
    signature = sign(url, form.items(), "12345")
    assert RequestValidator("12345").validate(url, form, signature)


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("https://example.com:8443/voice?a=1#rc=2", "https://example.com/voice?a=1"),
        ("http://example.com:8080/voice", "http://example.com:8080/voice"),
        ("https://user:secret@example.com/voice", "https://example.com/voice"),
    ],
)
def test_voice_urls_lose_what_twilio_does_not_sign(url: str, signed: str) -> None:
    assert signed_url(url) == signed
