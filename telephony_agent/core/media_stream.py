"""Twilio's Media Streams wire as a state machine: text in, events out; calls in, text out.

Theory of operation
-------------------
A ``MediaStream`` is one bidirectional stream as the *server* sees it. It does no I/O: the shell gives it each text
message (``receive``) and sends what ``media``, ``mark`` and ``clear`` return.

==============  ==========================  =======================================================
state           accepts from Twilio         we may send
==============  ==========================  =======================================================
``OPENING``     ``connected``, ``start``    nothing
``STREAMING``   media, dtmf, mark, stop     ``media``, ``mark``, ``clear``
``STOPPED``     nothing (late ones: error)  nothing
==============  ==========================  =======================================================

``connected`` is not insisted on. Numbers come as strings (``sequenceNumber``, ``chunk``, ``timestamp``) or as JSON
numbers (``sampleRate``); both forms are read in every place. Unknown event names are reported, not refused: Twilio adds
fields and messages without notice. What we send is what Twilio's page lists and nothing more, because an extra field
makes it ignore the message (warning 31951).

Source: Twilio docs, voice/media-streams/websocket-messages, and captured calls.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

from telephony_agent.errors import LocalProtocolError, RemoteProtocolError

CallSid = NewType("CallSid", str)
StreamSid = NewType("StreamSid", str)

MAX_MESSAGE_BYTES = 64 * 1024
MAX_PAYLOAD_BYTES = 8000
"""A second of sound. Twilio sends 20 ms a message; what takes long to hear would keep other calls waiting."""
MAX_NUMBER = 10**12


class StreamState(StrEnum):
    """Where a stream is in its life."""

    OPENING = "opening"
    STREAMING = "streaming"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Connected:
    """The first message on the socket."""

    version: str


@dataclass(frozen=True, slots=True)
class Started:
    """The stream's identity and the ``<Parameter>`` values of our TwiML."""

    stream_sid: StreamSid
    call_sid: CallSid
    account_sid: str
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Media:
    """Caller audio: mu-law at 8 kHz, and its start in ms on the stream's clock."""

    timestamp_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Dtmf:
    """One key, of ``0-9*#A-D``."""

    digit: str


@dataclass(frozen=True, slots=True)
class MarkReturned:
    """Everything before this mark was played, or was cleared."""

    name: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The call or the stream ended; nothing follows."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message that we don't know and don't need."""

    name: str


StreamEvent = Connected | Started | Media | Dtmf | MarkReturned | Stopped | Unknown


class MediaStream:
    """One stream; see the module's table for what is allowed when."""

    def __init__(self) -> None:
        self.state = StreamState.OPENING
        self.stream_sid = StreamSid("")
        self._media_head = ""

    def receive(self, text: str) -> StreamEvent:
        """Read one text message.

        Raises:
            RemoteProtocolError: it is not a message that Twilio may send now. The state is unchanged.
        """
        if len(text) > MAX_MESSAGE_BYTES:
            raise RemoteProtocolError(f"message of {len(text)} characters, over {MAX_MESSAGE_BYTES}")
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RemoteProtocolError("message is not JSON") from error
        if not isinstance(message, dict):
            raise RemoteProtocolError("message is not a JSON object")
        name = _text(message, "event")
        match name:
            case "connected":
                self._expect(StreamState.OPENING, name)
                return Connected(_text(message, "version"))
            case "start":
                self._expect(StreamState.OPENING, name)
                return self._start(message)
            case "media" | "dtmf" | "mark" | "stop":
                self._expect(StreamState.STREAMING, name)
                return self._streaming(name, message)
            case _:
                return Unknown(name[:64])

    def media(self, payload: bytes) -> str:
        """Return the message that appends mu-law bytes to what the caller will hear."""
        self._may_send("media")
        return f'{self._media_head}{base64.b64encode(payload).decode()}"}}}}'

    def mark(self, name: str) -> str:
        """Return the message that asks for an echo once everything before it was played."""
        self._may_send("mark")
        return json.dumps({"event": "mark", "streamSid": self.stream_sid, "mark": {"name": name}})

    def clear(self) -> str:
        """Return the message that drops what the caller has not heard; all its marks come back."""
        self._may_send("clear")
        return json.dumps({"event": "clear", "streamSid": self.stream_sid})

    def _start(self, message: dict[str, Any]) -> Started:
        start = _object(message, "start")
        form = _object(start, "mediaFormat")
        shape = (_text(form, "encoding"), _number(form, "sampleRate"), _number(form, "channels"))
        if shape != ("audio/x-mulaw", 8000, 1):
            raise RemoteProtocolError(f"media format {shape}, expected mu-law, 8000 Hz, 1 channel")
        parameters = start.get("customParameters") or {}
        if not isinstance(parameters, dict):
            raise RemoteProtocolError("customParameters is not an object")
        started = Started(
            stream_sid=StreamSid(_text(start, "streamSid")),
            call_sid=CallSid(_text(start, "callSid")),
            account_sid=_text(start, "accountSid"),
            parameters={_whole(str(key)): _whole(str(value)) for key, value in parameters.items()},
        )
        self.stream_sid = started.stream_sid
        self._media_head = f'{{"event":"media","streamSid":{json.dumps(self.stream_sid)},"media":{{"payload":"'
        self.state = StreamState.STREAMING
        return started

    def _streaming(self, name: str, message: dict[str, Any]) -> StreamEvent:
        if message.get("streamSid") != self.stream_sid:
            raise RemoteProtocolError(f"{name} message of another stream")
        match name:
            case "media":
                media = _object(message, "media")
                if media.get("track", "inbound") != "inbound":
                    return Unknown("media of another track")
                return Media(_number(media, "timestamp"), _payload(media))
            case "dtmf":
                digit = _text(_object(message, "dtmf"), "digit")
                if len(digit) != 1 or digit not in "0123456789*#ABCD":
                    raise RemoteProtocolError("dtmf digit is not one of 0-9*#A-D")
                return Dtmf(digit)
            case "mark":
                return MarkReturned(_text(_object(message, "mark"), "name"))
            case _:
                self.state = StreamState.STOPPED
                return Stopped()

    def _expect(self, state: StreamState, name: str) -> None:
        if self.state is not state:
            raise RemoteProtocolError(f"{name} message while {self.state}")

    def _may_send(self, name: str) -> None:
        if self.state is not StreamState.STREAMING:
            raise LocalProtocolError(f"can't send {name} while {self.state}")


def _object(message: dict[str, Any], key: str) -> dict[str, Any]:
    value = message.get(key)
    if not isinstance(value, dict):
        raise RemoteProtocolError(f"{key} is not an object")
    return value


def _text(message: dict[str, Any], key: str) -> str:
    value = message.get(key)
    if not isinstance(value, str):
        raise RemoteProtocolError(f"{key} is not a string")
    return _whole(value)


def _whole(text: str) -> str:
    """Refuse half characters, which JSON can write, and no file, token or database can."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RemoteProtocolError("message holds half a character") from error
    return text


def _number(message: dict[str, Any], key: str) -> int:
    value = message.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_NUMBER:
        return value
    raise RemoteProtocolError(f"{key} is not a number")


def _payload(media: dict[str, Any]) -> bytes:
    try:
        payload = base64.b64decode(_text(media, "payload"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RemoteProtocolError("payload is not base64") from error
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise RemoteProtocolError(f"payload of {len(payload)} bytes, over {MAX_PAYLOAD_BYTES}")
    return payload
