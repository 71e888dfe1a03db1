"""The TwiML documents: equal to what Twilio's own library builds, and safe whatever is filled in."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.twiml.voice_response import Connect, Dial, Gather, VoiceResponse

from telephony_agent.carrier.twiml import TwimlDocuments, shipped_documents
from telephony_agent.errors import LocalProtocolError, SettingError

STREAM_URL = "wss://agent.example.com/twilio/media"
ENDED_URL = "https://agent.example.com/twilio/stream-ended"
DIALLED_URL = "https://agent.example.com/twilio/transferred?call=CA1"
WHISPER_URL = "https://agent.example.com/twilio/whisper?call=CA1"
JOINED_URL = "https://agent.example.com/twilio/joined?call=CA1"
documents = TwimlDocuments()


def canonical(xml: str) -> str:
    """Drop what has no meaning in TwiML: the spaces between elements and the order of attributes."""
    return ET.canonicalize(xml, strip_text=True)


def connect(caller_id: str) -> str:
    urls = {"dialled_url": DIALLED_URL, "whisper_url": WHISPER_URL}
    return documents.connect(number="+15005550006", caller_id=caller_id, **urls)


def transfer(**given: str) -> str:
    return documents.transfer(number="+15005550006", dialled_url=DIALLED_URL, **given)


def answer(**parameters: str) -> str:
    return documents.answer(stream_url=STREAM_URL, ended_url=ENDED_URL, parameters={"token": "t0ken"} | parameters)


def custom_parameters(xml: str) -> dict[str, str]:
    """Read the parameters as Twilio does."""
    return {p.get("name", ""): p.get("value", "") for p in ET.fromstring(xml.encode()).iter("Parameter")}


# What the documents say


def test_answer_is_what_twilios_library_builds() -> None:
    expected = VoiceResponse()
    connect = Connect(action=ENDED_URL, method="POST")
    stream = connect.stream(url=STREAM_URL)
    stream.parameter(name="token", value="t0ken")
    stream.parameter(name="direction", value="inbound")
    expected.append(connect)
    expected.hangup()
    assert canonical(answer(direction="inbound")) == canonical(str(expected))


def test_connecting_a_caller_dials_without_an_apology() -> None:
    expected = VoiceResponse()
    dial = Dial(action=DIALLED_URL, method="POST", timeout=20, caller_id="+15005550001")
    dial.number("+15005550006", url=WHISPER_URL, method="POST")
    expected.append(dial)
    expected.hangup()
    assert canonical(connect("+15005550001")) == canonical(str(expected))


def test_without_a_number_of_ours_the_person_is_shown_the_callers() -> None:
    assert "callerId" not in connect("")


def test_the_whisper_waits_for_a_key_and_is_what_twilios_library_builds() -> None:
    expected = VoiceResponse()
    gather = Gather(action=JOINED_URL, method="POST", input="dtmf", num_digits=1, timeout=8)
    gather.say("A call for you. To take the call, press 1.", language="en-US")
    expected.append(gather)
    expected.hangup()
    assert canonical(documents.whisper(summary="A call for you.", joined_url=JOINED_URL)) == canonical(str(expected))


def test_what_joins_the_two_says_nothing() -> None:
    assert canonical(documents.joined()) == canonical(str(VoiceResponse()))


def test_transfer_is_what_twilios_library_builds() -> None:
    expected = VoiceResponse()
    apology = "We are sorry, we have a technical problem. Please hold on, you are being connected to a person."
    expected.say(apology, language="en-US")
    dial = Dial(action=DIALLED_URL, method="POST", timeout=20)
    dial.number("+15005550006")
    expected.append(dial)
    expected.hangup()
    assert canonical(transfer()) == canonical(str(expected))


def test_after_a_fault_the_person_is_told_of_a_call_that_is_known() -> None:
    number = ET.fromstring(transfer(whisper_url=WHISPER_URL)).find("Dial/Number")
    assert number is not None
    assert number.get("url") == WHISPER_URL


@pytest.mark.parametrize("name", ["busy", "unavailable", "apology"])
def test_what_is_spoken_follows_the_language_and_is_english_where_there_is_no_other(name: str) -> None:
    speak = getattr(documents, name)
    assert 'language="es-MX"' in speak("es")
    assert speak("es") != speak("en") == speak("xx")
    assert 'language="es-MX"' in transfer(language="es")
    assert "pulse 1" in documents.whisper(summary="Una llamada.", joined_url=JOINED_URL, language="es")


def test_goodbye_is_what_twilios_library_builds() -> None:
    expected = VoiceResponse()
    expected.hangup()
    assert canonical(documents.goodbye()) == canonical(str(expected))


@pytest.mark.parametrize("name", ["busy", "unavailable", "apology"])
def test_the_spoken_refusals_say_one_sentence_and_hang_up(name: str) -> None:
    root = ET.fromstring(getattr(documents, name)().encode())
    assert [element.tag for element in root] == ["Say", "Hangup"]
    expected = VoiceResponse()
    expected.say(root.findtext("Say"), language="en-US")
    expected.hangup()
    assert canonical(getattr(documents, name)()) == canonical(str(expected))


def test_nobody_is_left_on_a_dead_line_after_the_stream() -> None:
    root = ET.fromstring(answer().encode())
    assert [element.tag for element in root] == ["Connect", "Hangup"]
    assert root[0].get("action") == ENDED_URL


def test_every_answer_is_a_whole_document_without_comments_and_placeholders() -> None:
    numbered = [transfer(), transfer(whisper_url=WHISPER_URL), connect("+15005550001")]
    numbered.append(documents.whisper(summary="A call.", joined_url=JOINED_URL))
    for xml in (answer(), documents.busy(), documents.apology(), *numbered):
        assert xml.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<Response>')
        assert "<!--" not in xml
        assert "{" not in xml


def test_the_shipped_documents_are_valid_xml_before_they_are_filled() -> None:
    names = {entry.name for entry in shipped_documents().iterdir()}
    assert names == {
        "answer.xml",
        "busy.xml",
        "unavailable.xml",
        "goodbye.xml",
        "transfer.xml",
        "connect.xml",
        "whisper.xml",
        "joined.xml",
        "apology.xml",
        *(f"{name}.es.xml" for name in ("busy", "unavailable", "transfer", "whisper", "apology")),
    }


def test_an_answer_does_not_remember_the_one_before() -> None:
    assert custom_parameters(answer(lead="7")) == {"token": "t0ken", "lead": "7"}
    assert custom_parameters(answer()) == {"token": "t0ken"}


# What is filled in


def test_a_value_never_becomes_markup_or_a_placeholder() -> None:
    hostile = '"/></Stream><Hangup/>&{token}'
    assert custom_parameters(answer(caller_name=hostile))["caller_name"] == hostile
    assert custom_parameters(answer(token="{ended_url}"))["token"] == "{ended_url}"


def test_what_xml_cannot_hold_is_replaced() -> None:
    assert custom_parameters(answer(name="a\x00b\ud800c\ufffe"))["name"] == "a\ufffdb\ufffdc\ufffd"


_names = st.from_regex(r"[a-z_]{1,20}", fullmatch=True).filter(lambda name: name != "token")
_values = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=100)


@settings(deadline=None)
@given(st.dictionaries(_names, _values, max_size=5))
def test_every_text_comes_back_as_it_went_in(parameters: dict[str, str]) -> None:
    assert custom_parameters(answer(**parameters)) == {"token": "t0ken"} | parameters


def test_a_parameter_must_stay_below_500_characters_with_its_name() -> None:
    assert custom_parameters(answer(note="x" * 495))["note"] == "x" * 495
    with pytest.raises(LocalProtocolError, match=r"'note' has 500 characters"):
        answer(note="x" * 496)


def test_a_missing_token_is_an_error() -> None:
    with pytest.raises(LocalProtocolError, match="token"):
        documents.answer(stream_url=STREAM_URL, ended_url=ENDED_URL, parameters={})


def test_a_stream_url_with_a_query_string_is_an_error() -> None:
    with pytest.raises(LocalProtocolError, match="query"):
        documents.answer(stream_url=f"{STREAM_URL}?token=1", ended_url=ENDED_URL, parameters={"token": "t"})


# Documents of the user


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Copy the shipped documents to where a user may edit them."""
    for entry in shipped_documents().iterdir():
        (tmp_path / entry.name).write_bytes(entry.read_bytes())
    return tmp_path


def test_edited_documents_are_used(own: Path) -> None:
    (own / "busy.xml").write_text("<Response><Reject reason='busy'/></Response>")
    assert '<Reject reason="busy" />' in TwimlDocuments(own).busy()


def test_a_fixed_parameter_in_the_document_is_kept_but_not_given_twice(own: Path) -> None:
    text = (own / "answer.xml").read_text()
    (own / "answer.xml").write_text(text.replace("</Stream>", '<Parameter name="campaign" value="spring"/></Stream>'))
    edited = TwimlDocuments(own)
    parameters = {"token": "t"}
    xml = edited.answer(stream_url=STREAM_URL, ended_url=ENDED_URL, parameters=parameters)
    assert custom_parameters(xml) == {"token": "t", "campaign": "spring"}
    with pytest.raises(LocalProtocolError, match="'campaign' is given twice"):
        edited.answer(stream_url=STREAM_URL, ended_url=ENDED_URL, parameters=parameters | {"campaign": "x"})


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("busy", "<Response>", "not valid XML"),
        ("busy", "<Reply/>", "allowed is <Response>"),
        ("busy", "<Response><Say>{caller}</Say></Response>", "unknown placeholder {caller}, allowed: none"),
        ("transfer", "<Response><Dial>{num}</Dial></Response>", "allowed: {caller_id}"),
        ("answer", "<Response><Hangup/></Response>", "has no <Stream>"),
    ],
)
def test_a_document_that_cannot_work_is_an_error_at_the_start(own: Path, name: str, text: str, complaint: str) -> None:
    (own / f"{name}.xml").write_text(text)
    with pytest.raises(SettingError) as caught:
        TwimlDocuments(own)
    assert complaint in str(caught.value)
    assert f"{name}.xml" in str(caught.value)


def test_a_missing_document_is_an_error_at_the_start(own: Path) -> None:
    (own / "apology.xml").unlink()
    with pytest.raises(SettingError, match=r"apology\.xml: can't be read"):
        TwimlDocuments(own)


def test_missing_directory_names_the_first_document(own: Path) -> None:
    shutil.rmtree(own)
    with pytest.raises(SettingError, match=r"answer\.xml"):
        TwimlDocuments(own)
