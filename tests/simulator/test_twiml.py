"""TwiML as the twin reads it."""

from __future__ import annotations

import pytest

from telephony_agent.simulator.debugger import Code
from telephony_agent.simulator.twiml import (
    Connect,
    Dial,
    Hangup,
    Pause,
    Play,
    Redirect,
    Reject,
    Say,
    TwimlError,
    parse,
)

HERE = "https://agent.example/twilio/voice"


def test_every_verb_is_read_in_order() -> None:
    document = """<?xml version="1.0" encoding="UTF-8"?>
    <Response>
      <Say>One <break/>moment</Say><Pause length="2"/><Pause/><Play digits="1w"/>
      <Dial action="/after">+15005550006</Dial><Redirect method="GET">next</Redirect>
      <Reject reason="busy"/><Hangup/>
    </Response>"""
    assert parse(document, HERE) == (
        Say("One moment"),
        Pause(2.0),
        Pause(1.0),
        Play("", "1w"),
        Dial("+15005550006", "https://agent.example/after"),
        Redirect("https://agent.example/twilio/next", "GET"),
        Reject("busy"),
        Hangup(),
    )


def test_a_stream_carries_its_parameters_and_loses_its_query() -> None:
    document = """<Response><Connect action="/ended"><Stream url="wss://agent.example/media?secret=1" name="a">
      <Parameter name="token" value="x&amp;y"/></Stream></Connect></Response>"""
    (connect,) = parse(document, HERE)
    assert connect == Connect(
        url="wss://agent.example/media",
        action="https://agent.example/ended",
        name="a",
        parameters={"token": "x&y"},
    )


def stream(attributes: str, inside: str = "") -> str:
    return f"<Response><Connect><Stream {attributes}>{inside}</Stream></Connect></Response>"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ('<Response><Say a="b&c"/></Response>', Code.DOCUMENT_PARSE_FAILURE),
        ("", Code.DOCUMENT_PARSE_FAILURE),
        ("<Answer/>", Code.SCHEMA_VALIDATION),
        ("<Response><Sing/></Response>", Code.SCHEMA_VALIDATION),
        ('<Response><Pause length="long"/></Response>', Code.SCHEMA_VALIDATION),
        ("<Response><Connect/></Response>", Code.SCHEMA_VALIDATION),
        (stream('url="ws://agent.example/media"'), Code.SCHEME),
        (stream('url="/media"'), Code.MALFORMED_URL),
        (stream('url="wss://agent.example/" track="both_tracks"'), Code.TRACK),
        (stream('url="wss://agent.example/"', f'<Parameter name="ab" value="{"x" * 498}"/>'), Code.SCHEMA_VALIDATION),
        (stream('url="wss://agent.example/"', '<Parameter name="ab"/>'), Code.SCHEMA_VALIDATION),
    ],
)
def test_what_twilio_would_refuse_is_refused_with_its_number(document: str, code: Code) -> None:
    with pytest.raises(TwimlError) as refused:
        parse(document, HERE)
    assert refused.value.notice.code is code


def test_the_longest_parameter_that_twilio_takes_is_taken() -> None:
    (connect,) = parse(stream('url="wss://a/"', f'<Parameter name="ab" value="{"x" * 497}"/>'), HERE)
    assert isinstance(connect, Connect)
    assert len(connect.parameters["ab"]) == 497
