"""Who may talk to us: test vectors of twilio 9.13.0, the traps around the URL, and forgeries."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from telephony_agent.carrier.signature import SignatureCheck
from telephony_agent.errors import SettingError

TOKEN = "12345"
FORM = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675310"),
    ("Digits", "1234"),
    ("From", "+14158675310"),
    ("To", "+18005551212"),
]
FORM_SIGNATURE = "L/OH5YylLD5NRKLltdqwSvS0BnU="
WSS_SIGNATURE = "7PR3qMkpDyEJtMrVOY/LDyNq8J8="
WSS_SLASH_SIGNATURE = "T+WBXwUXC0/CyoZ1DA+p9ilZORs="
HTTPS_SIGNATURE = "6HZQ7Cq/dSYDCAiy3qRA6PZfACI="

check = SignatureCheck("https://example.com", [TOKEN])


def sign(text: str, secret: str = TOKEN, digest: str = "sha1") -> dict[str, str]:
    """Sign a string as Twilio does, without the twilio package."""
    mac = hmac.new(secret.encode(), text.encode(), getattr(hashlib, digest))
    return {"X-Twilio-Signature": base64.b64encode(mac.digest()).decode()}


# Webhooks


def test_the_published_vector_is_accepted() -> None:
    assert check.http("/myapp.php?foo=1&bar=2", FORM, {"X-Twilio-Signature": FORM_SIGNATURE})


def test_the_order_of_the_fields_and_the_case_of_header_names_do_not_matter() -> None:
    assert check.http("/myapp.php?foo=1&bar=2", FORM[::-1], {"x-twilio-signature": FORM_SIGNATURE})


@pytest.mark.parametrize("headers", [{}, {"X-Twilio-Signature": ""}, {"X-Twilio-Signature": "é\udcff"}])
def test_a_missing_or_unreadable_signature_is_refused(headers: dict[str, str]) -> None:
    assert not check.http("/myapp.php?foo=1&bar=2", FORM, headers)


def test_a_changed_field_is_refused() -> None:
    changed = [(name, "9" if name == "Digits" else value) for name, value in FORM]
    assert not check.http("/myapp.php?foo=1&bar=2", changed, {"X-Twilio-Signature": FORM_SIGNATURE})


def test_a_left_out_field_is_refused() -> None:
    assert not check.http("/myapp.php?foo=1&bar=2", FORM[:-1], {"X-Twilio-Signature": FORM_SIGNATURE})


def test_another_path_or_query_is_refused() -> None:
    assert not check.http("/other.php?foo=1&bar=2", FORM, {"X-Twilio-Signature": FORM_SIGNATURE})
    assert not check.http("/myapp.php?foo=1&bar=3", FORM, {"X-Twilio-Signature": FORM_SIGNATURE})


def test_blank_fields_are_part_of_what_is_signed() -> None:
    headers = sign("https://example.com/voiceCallSidCA1FromCity")
    assert check.http("/voice", [("CallSid", "CA1"), ("FromCity", "")], headers)
    assert not check.http("/voice", [("CallSid", "CA1")], headers)


def test_repeated_fields_are_signed_once_per_distinct_value() -> None:
    headers = sign("https://example.com/voiceMediaaMediab")
    assert check.http("/voice", [("Media", "b"), ("Media", "a"), ("Media", "b")], headers)


def test_whitespace_in_a_field_is_kept() -> None:
    assert check.http("/voice", [("Body", " hi \n")], sign("https://example.com/voiceBody hi \n"))


def test_a_get_is_signed_by_its_query_alone() -> None:
    assert check.http("/voice?CallSid=CA1", [], sign("https://example.com/voice?CallSid=CA1"))


def test_a_percent_encoded_path_is_compared_as_it_was_sent() -> None:
    assert check.http("/a%2Fb%20c", [], sign("https://example.com/a%2Fb%20c"))
    assert not check.http("/a/b c", [], sign("https://example.com/a%2Fb%20c"))


@pytest.mark.parametrize("signed", ["https://example.com/voice", "https://example.com/voice/"])
@pytest.mark.parametrize("requested", ["/voice", "/voice/"])
def test_a_trailing_slash_more_or_less_does_not_matter(signed: str, requested: str) -> None:
    assert check.http(requested, [], sign(signed))


@pytest.mark.parametrize("public_url", ["https://example.com:8443", "https://example.com:8443/"])
@pytest.mark.parametrize("signed", ["https://example.com/voice", "https://example.com:8443/voice"])
def test_the_port_may_be_kept_or_dropped(public_url: str, signed: str) -> None:
    assert SignatureCheck(public_url, [TOKEN]).http("/voice", [], sign(signed))


def test_the_default_port_may_be_spelled_out() -> None:
    assert check.http("/voice", [], sign("https://example.com:443/voice"))
    assert not check.http("/voice", [], sign("https://example.com:80/voice"))


def test_an_ipv6_host_keeps_its_brackets() -> None:
    ipv6 = SignatureCheck("http://[::1]:8080", [TOKEN])
    assert ipv6.http("/voice", [], sign("http://[::1]:8080/voice"))
    assert ipv6.http("/voice", [], sign("http://[::1]/voice"))


def test_a_user_and_password_are_never_signed() -> None:
    assert SignatureCheck("https://me:secret@example.com", [TOKEN]).http("/v", [], sign("https://example.com/v"))


def test_a_path_of_the_public_url_stands_before_the_path_that_we_see() -> None:
    assert SignatureCheck("https://example.com/agent/", [TOKEN]).http("/v", [], sign("https://example.com/agent/v"))


def test_a_lone_surrogate_is_refused_not_raised() -> None:
    assert not check.http("/voice", [("Body", "\udc80")], sign("https://example.com/voice"))


# The websocket


@pytest.mark.parametrize("path", ["/media", "/media/"])
@pytest.mark.parametrize("signature", [WSS_SIGNATURE, WSS_SLASH_SIGNATURE])
def test_an_upgrade_signed_over_wss_is_accepted_with_and_without_slash(path: str, signature: str) -> None:
    assert check.websocket(path, {"x-twilio-signature": signature})


def test_an_upgrade_signed_over_https_is_refused() -> None:
    assert not check.websocket("/media", {"x-twilio-signature": HTTPS_SIGNATURE})


def test_a_webhook_signed_over_wss_is_refused() -> None:
    assert not check.http("/media", [], {"x-twilio-signature": WSS_SIGNATURE})


def test_an_upgrade_without_signature_is_refused() -> None:
    assert not check.websocket("/media", {"upgrade": "websocket"})


@pytest.mark.parametrize("signed", ["wss://example.com", "wss://example.com/"])
def test_an_empty_path_is_tried_with_and_without_slash(signed: str) -> None:
    assert check.websocket("/", sign(signed))


def test_the_default_port_of_wss_is_443_and_not_80() -> None:
    assert check.websocket("/media", sign("wss://example.com:443/media"))
    assert not check.websocket("/media", sign("wss://example.com:80/media"))


def test_ws_is_accepted_only_where_the_public_url_is_http() -> None:
    assert SignatureCheck("http://127.0.0.1:8080", [TOKEN]).websocket("/media", sign("ws://127.0.0.1:8080/media"))
    assert SignatureCheck("http://127.0.0.1:8080", [TOKEN]).websocket("/media", sign("wss://127.0.0.1:8080/media"))
    assert not check.websocket("/media", sign("ws://example.com/media"))


# Secrets


def test_each_of_several_tokens_is_accepted_and_a_retired_one_is_not() -> None:
    rotating = SignatureCheck("https://example.com", ["new", "old"])
    assert rotating.http("/voice", [], sign("https://example.com/voice", "old"))
    assert rotating.http("/voice", [], sign("https://example.com/voice", "new"))
    assert not rotating.http("/voice", [], sign("https://example.com/voice", "retired"))


def test_without_any_token_everything_is_refused() -> None:
    assert not SignatureCheck("https://example.com", []).http("/voice", [], sign("https://example.com/voice", ""))


def test_a_shared_key_signs_with_sha256() -> None:
    keyed = SignatureCheck("https://example.com", [TOKEN], {"k1": "s3cret"})
    settings = {"X-Twilio-Webhooks-Signature-Settings": "key=k1,algorithm=HMAC_SHA256"}
    url = "https://example.com/voice"
    assert keyed.http("/voice", [], sign(url, "s3cret", "sha256") | settings)
    assert not keyed.http("/voice", [], sign(url, TOKEN, "sha256") | settings), "the named key signs, no other"
    assert not keyed.http("/voice", [], sign(url, "s3cret", "sha1") | settings), "the named algorithm, no other"
    assert not keyed.http("/voice", [], sign(url, "s3cret", "sha256")), "no settings header: the auth token signs"


def test_an_unlisted_key_is_tried_against_the_tokens() -> None:
    settings = {"x-twilio-webhooks-signature-settings": "key=other, algorithm=hmac_sha256"}
    assert check.websocket("/media", sign("wss://example.com/media", TOKEN, "sha256") | settings)
    assert not check.websocket("/media", sign("wss://example.com/media", "guess", "sha256") | settings)


def test_an_unknown_algorithm_is_refused() -> None:
    settings = {"X-Twilio-Webhooks-Signature-Settings": "key=k1,algorithm=NONE"}
    assert not check.http("/voice", [], sign("https://example.com/voice") | settings)


@pytest.mark.parametrize("tokens", [[""], ["good", ""]])
def test_an_empty_token_which_anyone_could_sign_with_is_a_setting_error(tokens: list[str]) -> None:
    with pytest.raises(SettingError, match="TWILIO_AUTH_TOKEN"):
        SignatureCheck("https://example.com", tokens)


def test_an_empty_shared_key_is_a_setting_error() -> None:
    with pytest.raises(SettingError, match="shared key"):
        SignatureCheck("https://example.com", [TOKEN], {"k1": ""})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "wss://example.com",
        "https://",
        "https://h?x=1",
        "https://h#f",
        "https://h:99999",
        "https://[::1",
    ],
)
def test_a_public_url_that_is_no_base_is_a_setting_error(url: str) -> None:
    with pytest.raises(SettingError, match="AGENT_PUBLIC_URL"):
        SignatureCheck(url, [TOKEN])


# Properties

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_paths = st.from_regex(r"/[a-z0-9%._~-]{0,12}(/[a-z0-9]{1,4}){0,2}", fullmatch=True)
_queries = st.from_regex(r"(\?[a-z0-9=&%/]{0,20})?", fullmatch=True)


@settings(deadline=None)
@given(_paths, _queries, st.lists(st.tuples(_texts, _texts), max_size=6, unique_by=lambda field: field[0]))
def test_whatever_twilio_signs_is_accepted_and_one_byte_more_is_not(
    path: str, query: str, form: list[tuple[str, str]]
) -> None:
    signature = RequestValidator(TOKEN).compute_signature(f"https://example.com{path}{query}", dict(form))
    headers = {"X-Twilio-Signature": signature}
    assert check.http(path + query, form, headers)
    assert not check.http(path + query + "x", form, headers) or not (path + query).rstrip("/")
    assert not check.http(path + query, [*form, ("Zz-added", "1")], headers)


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), _paths)
def test_no_made_up_signature_is_accepted(signature: str, settings: str, path: str) -> None:
    headers = {"X-Twilio-Signature": signature, "X-Twilio-Webhooks-Signature-Settings": settings}
    assert not check.http(path, FORM, headers)
    assert not check.websocket(path, headers)
