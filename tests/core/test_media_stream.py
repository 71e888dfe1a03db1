"""The wire's state machine, on captured messages and on anything else."""

from __future__ import annotations

import base64
import contextlib
import json
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.core.media_stream import (
    MAX_MESSAGE_BYTES,
    Connected,
    Dtmf,
    MarkReturned,
    Media,
    MediaStream,
    Started,
    Stopped,
    StreamState,
    Unknown,
)
from telephony_agent.errors import LocalProtocolError, RemoteProtocolError
from tests.hostile import refused, tolerated

CAPTURED = (Path(__file__).parents[1] / "fixtures" / "twilio-messages.jsonl").read_text().splitlines()
SID = "MZ" + "X" * 32


def started() -> MediaStream:
    stream = MediaStream()
    for line in CAPTURED[:2]:
        stream.receive(line)
    return stream


def ours(line: str) -> str:
    """A captured message, its redacted SID made that of the started stream."""
    return json.dumps(json.loads(line) | {"streamSid": SID})


def test_a_captured_call_is_read_from_connected_to_stop() -> None:
    stream = MediaStream()
    events = [stream.receive(line) for line in CAPTURED[:5]]
    assert [type(event) for event in events] == [Connected, Started, Media, Media, Stopped]
    assert isinstance(events[1], Started)
    assert events[1].stream_sid == SID
    assert events[1].call_sid == "CA" + "X" * 32
    assert isinstance(events[2], Media)
    assert (events[2].timestamp_ms, len(events[2].payload)) == (155, 160)
    assert stream.state is StreamState.STOPPED


def test_parameters_of_the_twiml_arrive() -> None:
    event = MediaStream().receive(CAPTURED[5])
    assert isinstance(event, Started)
    assert event.parameters == {"sttData": "eyJsb2NhbGUiOiJlbi1VUyJ9"}


def test_marks_keys_and_other_media_of_captures_are_read() -> None:
    stream = started()
    assert isinstance(stream.receive(ours(CAPTURED[6])), Media)
    assert stream.receive(ours(CAPTURED[7])) == MarkReturned("171")
    assert stream.receive(ours(CAPTURED[12])) == Dtmf("1")
    assert stream.receive(ours(CAPTURED[13])) == MarkReturned("my label")
    assert isinstance(stream.receive(ours(CAPTURED[10])), Unknown), "the outbound track is not ours to read"


def test_an_old_start_without_custom_parameters_is_read() -> None:
    stream = MediaStream()
    stream.receive(CAPTURED[18])
    event = stream.receive(CAPTURED[19])
    assert isinstance(event, Started)
    assert event.parameters == {}


def test_numbers_may_be_json_numbers_too() -> None:
    message = json.loads(CAPTURED[2])
    message["media"]["timestamp"] = 155
    event = started().receive(json.dumps(message))
    assert isinstance(event, Media)
    assert event.timestamp_ms == 155


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"streamSid": "MZ0"}, "another stream"),
        ({"media": {"timestamp": "x", "payload": ""}}, "timestamp"),
        ({"media": {"timestamp": "-5", "payload": ""}}, "timestamp"),
        ({"media": {"timestamp": "5", "payload": "???"}}, "base64"),
        ({"media": []}, "media"),
        ({"event": "start"}, "while streaming"),
    ],
)
def test_a_broken_message_is_refused_with_its_reason(change: dict[str, object], reason: str) -> None:
    with pytest.raises(RemoteProtocolError, match=reason):
        started().receive(json.dumps(json.loads(CAPTURED[2]) | change))


def test_media_before_start_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="while opening"):
        MediaStream().receive(CAPTURED[2])


def test_a_foreign_media_format_is_refused() -> None:
    message = json.loads(CAPTURED[1])
    message["start"]["mediaFormat"]["sampleRate"] = 16000
    with pytest.raises(RemoteProtocolError, match="16000"):
        MediaStream().receive(json.dumps(message))


def test_a_message_over_the_limit_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="over"):
        started().receive("x" * (MAX_MESSAGE_BYTES + 1))


def test_what_we_send_has_exactly_the_documented_fields() -> None:
    stream = started()
    assert json.loads(stream.media(b"\x01\x02")) == {
        "event": "media",
        "streamSid": SID,
        "media": {"payload": base64.b64encode(b"\x01\x02").decode()},
    }
    assert json.loads(stream.mark("a")) == {"event": "mark", "streamSid": SID, "mark": {"name": "a"}}
    assert json.loads(stream.clear()) == {"event": "clear", "streamSid": SID}


def test_nothing_can_be_sent_before_start_or_after_stop() -> None:
    stream = MediaStream()
    with pytest.raises(LocalProtocolError):
        stream.clear()
    stream = started()
    stream.receive(CAPTURED[4])
    with pytest.raises(LocalProtocolError):
        stream.media(b"")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
LIKELY = st.fixed_dictionaries(
    {"event": st.sampled_from(["connected", "start", "media", "dtmf", "mark", "stop", "odd"])},
    optional={
        "streamSid": st.just(SID) | JSON,
        "version": JSON,
        "media": st.fixed_dictionaries({}, optional={"timestamp": JSON, "payload": JSON, "track": JSON}) | JSON,
        "start": st.fixed_dictionaries({}, optional={"mediaFormat": JSON, "customParameters": JSON}) | JSON,
        "mark": JSON,
        "dtmf": JSON,
    },
)


@given(st.text(max_size=200) | JSON.map(json.dumps) | LIKELY.map(json.dumps), st.booleans())
def test_any_text_gives_an_event_or_a_protocol_error(text: str, streaming: bool) -> None:
    stream = started() if streaming else MediaStream()
    with contextlib.suppress(RemoteProtocolError):
        assert stream.receive(text) is not None


def test_ten_thousand_broken_messages_are_refused_and_change_nothing() -> None:
    stream = started()
    texts = (message for message in refused(1, SID) if isinstance(message, str))
    for text in islice(texts, 10_000):
        with pytest.raises(RemoteProtocolError):
            stream.receive(text)
    assert stream.state is StreamState.STREAMING


def test_ten_thousand_odd_messages_are_borne() -> None:
    stream = started()
    for text in islice(tolerated(1, SID), 10_000):
        assert stream.receive(text) is not None
    assert stream.state is StreamState.STREAMING
