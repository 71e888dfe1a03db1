"""Twilio's end of the wire: written as the captures show it, read as strictly as its pages state it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.simulator.debugger import Code
from telephony_agent.simulator.wire import Clear, Mark, Media, StreamWire

CAPTURES = (Path(__file__).parents[1] / "fixtures" / "twilio-messages.jsonl").read_text().splitlines()
ACCOUNT, CALL, STREAM = "AC" + "X" * 32, "CA" + "X" * 32, "MZ" + "X" * 32


def a_wire(**parameters: str) -> StreamWire:
    return StreamWire(ACCOUNT, CALL, STREAM, parameters)


def payload_of(capture: str) -> bytes:
    return base64.b64decode(json.loads(capture)["media"]["payload"])


def message(**fields: object) -> str:
    return json.dumps({"streamSid": STREAM, **fields})


def test_a_call_is_written_as_a_real_one_was_captured() -> None:
    wire = a_wire()
    assert wire.connected() == CAPTURES[0]
    assert wire.start() == CAPTURES[1]
    assert wire.media(payload_of(CAPTURES[2]), 155) == CAPTURES[2]
    for timestamp in range(175, 155 + 71 * 20 + 1, 20):
        wire.media(b"\xff" * 160, timestamp)
    assert wire.media(payload_of(CAPTURES[3]), 1593) == CAPTURES[3]
    for timestamp in range(303):
        wire.media(b"\xff" * 160, timestamp)
    assert wire.stop() == CAPTURES[4]


def test_parameters_arrive_in_start() -> None:
    assert a_wire(sttData="eyJsb2NhbGUiOiJlbi1VUyJ9").start() == CAPTURES[5]


def test_marks_and_stop_put_the_stream_before_their_object() -> None:
    wire = a_wire()
    wire.start()
    wire.media(b"", 0)
    assert wire.mark("171") == CAPTURES[7]
    assert wire.stop() == CAPTURES[8]


def test_keys_share_the_one_counter_and_name_their_track_differently() -> None:
    wire = a_wire()
    for _ in range(4):
        wire.start()
    assert wire.dtmf("1") == CAPTURES[12].replace("MZ" + "X" * 30, STREAM)
    assert json.loads(wire.media(b"", 0))["sequenceNumber"] == "6"


def test_media_mark_and_clear_are_understood() -> None:
    wire = a_wire()
    assert wire.receive(message(event="media", media={"payload": "/38="})) == Media(b"\xff\x7f")
    assert wire.receive(message(event="mark", mark={"name": "my label"})) == Mark("my label")
    assert wire.receive(message(event="clear")) == Clear()
    assert wire.warnings == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "not JSON"),
        ("[1]", "not an object"),
        (message(event="hello"), "unknown event 'hello'"),
        (message(event=["media"]), "unknown event ['media']"),
        (message(event="media"), "no media"),
        (message(event="media", media={"playload": "/w=="}), "no payload"),
        (message(event="media", media={"payload": "/w==", "track": "outbound"}), "extra track"),
        (message(event="media", media={"payload": "/w="}), "payload is not base64"),
        (message(event="media", media={"payload": "/w==\n"}), "payload is not base64"),
        (message(event="media", media={"payload": ""}), "payload is not a text"),
        (message(event="media", media={"payload": "/w=="}, sequenceNumber="1"), "extra sequenceNumber"),
        (message(event="mark", mark="x"), "no object that holds name"),
        (message(event="mark", mark={"name": 1}), "name is not a text"),
        (json.dumps({"event": "clear", "streamSid": "MZ0"}), "another streamSid"),
        (json.dumps({"event": "clear", "stream_sid": STREAM}), "no streamSid"),
    ],
)
def test_what_twilio_would_not_act_on_is_warned_about_and_dropped(text: str, reason: str) -> None:
    wire = a_wire()
    assert wire.receive(text) is None
    (notice,) = wire.warnings
    assert notice.code is Code.INVALID_MESSAGE
    assert notice.detail.startswith(reason)


def test_a_binary_message_has_a_warning_of_its_own() -> None:
    wire = a_wire()
    assert wire.receive(b"\x00") is None
    assert [notice.code for notice in wire.warnings] == [Code.MALFORMED_MESSAGE]


def test_each_code_is_warned_about_once_and_every_rejection_is_kept() -> None:
    wire = a_wire()
    for text in ("a", "b", "c"):
        wire.receive(text)
    wire.receive(b"")
    assert [notice.code for notice in wire.warnings] == [Code.INVALID_MESSAGE, Code.MALFORMED_MESSAGE]
    assert len(wire.rejected) == 4


@given(st.text() | st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_anything_is_either_understood_or_rejected(text: str | bytes) -> None:
    wire = a_wire()
    assert (wire.receive(text) is None) == bool(wire.rejected)
