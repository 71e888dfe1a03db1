"""Twilio's end of the media-stream wire, sans I/O: messages to the agent as text, the agent's text as messages.

Everything numeric that goes out is a string but ``sampleRate`` and ``channels``; one counter runs through all messages
after ``connected``; the key order is that of the captures. What comes in is checked as strictly as Twilio's pages
state it: a message that isn't exactly ``media``, ``mark`` or ``clear`` is not acted on, and warned about once.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from telephony_agent.simulator.debugger import Code, Notice


@dataclass(frozen=True, slots=True)
class Media:
    """The agent's audio to append to the playout: mu-law bytes, any number of them."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """The agent's wish to hear ``name`` back when all before it has played."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """The agent's wish to forget what has not played."""


Received = Media | Mark | Clear

_SHAPES: Mapping[str, frozenset[str]] = {
    "media": frozenset({"event", "streamSid", "media"}),
    "mark": frozenset({"event", "streamSid", "mark"}),
    "clear": frozenset({"event", "streamSid"}),
}


class _InvalidMessage(Exception):
    """The message breaks the documented shape; ``str()`` says how."""


class StreamWire:
    """One media stream as Twilio writes and reads it.

    ``rejected`` lists every message that was not acted on; ``warnings`` holds the first of each code, as the console
    would.
    """

    def __init__(self, account_sid: str, call_sid: str, stream_sid: str, parameters: Mapping[str, str]) -> None:
        self._account_sid = account_sid
        self._call_sid = call_sid
        self._stream_sid = stream_sid
        self._parameters = dict(parameters)
        self._sequence = 0
        self._chunk = 0
        self.rejected: list[Notice] = []

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """The console's warnings: the first of each code."""
        first: dict[Code, Notice] = {}
        for notice in self.rejected:
            first.setdefault(notice.code, notice)
        return tuple(first.values())

    def connected(self) -> str:
        """Write the greeting of the protocol; it takes no number."""
        return _text({"event": "connected", "protocol": "Call", "version": "1.0.0"})

    def start(self) -> str:
        """Write ``start``, which carries the TwiML's parameters."""
        start = {
            "accountSid": self._account_sid,
            "streamSid": self._stream_sid,
            "callSid": self._call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": self._parameters,
        }
        return self._numbered("start", {"start": start, "streamSid": self._stream_sid})

    def media(self, audio: bytes, timestamp_ms: int) -> str:
        """Write one frame of the caller's mu-law."""
        self._chunk += 1
        media = {
            "track": "inbound",
            "chunk": str(self._chunk),
            "timestamp": str(timestamp_ms),
            "payload": base64.b64encode(audio).decode("ascii"),
        }
        return self._numbered("media", {"media": media, "streamSid": self._stream_sid})

    def dtmf(self, digit: str) -> str:
        """Write one key; its track has a name of its own, and its keys an order of their own."""
        self._sequence += 1
        return _text(
            {
                "event": "dtmf",
                "streamSid": self._stream_sid,
                "sequenceNumber": str(self._sequence),
                "dtmf": {"track": "inbound_track", "digit": digit},
            }
        )

    def mark(self, name: str) -> str:
        """Write the echo of a mark."""
        return self._numbered("mark", {"streamSid": self._stream_sid, "mark": {"name": name}})

    def stop(self) -> str:
        """Write ``stop``, the last message; it gives no reason."""
        stop = {"accountSid": self._account_sid, "callSid": self._call_sid}
        return self._numbered("stop", {"streamSid": self._stream_sid, "stop": stop})

    def receive(self, message: str | bytes) -> Received | None:
        """Read one message of the agent's; ``None`` when Twilio would not act on it."""
        if isinstance(message, bytes):
            self.rejected.append(Notice(Code.MALFORMED_MESSAGE, f"a binary message of {len(message)} bytes"))
            return None
        try:
            return self._read(message)
        except _InvalidMessage as error:
            self.rejected.append(Notice(Code.INVALID_MESSAGE, f"{error} in {message[:120]!r}"))
            return None

    def _read(self, text: str) -> Received:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _InvalidMessage("not JSON") from error
        if not isinstance(message, dict):
            raise _InvalidMessage("not an object")
        event = message.get("event")
        shape = _SHAPES.get(event) if isinstance(event, str) else None
        if shape is None:
            raise _InvalidMessage(f"unknown event {event!r}")
        _require_keys(message, shape)
        if message["streamSid"] != self._stream_sid:
            raise _InvalidMessage("another streamSid")
        if event == "media":
            return Media(_payload(message["media"]))
        if event == "mark":
            return Mark(_only_text(message["mark"], "name"))
        return Clear()

    def _numbered(self, event: str, rest: Mapping[str, Any]) -> str:
        self._sequence += 1
        return _text({"event": event, "sequenceNumber": str(self._sequence), **rest})


def _text(message: Mapping[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"))


def _require_keys(message: Mapping[str, Any], shape: frozenset[str]) -> None:
    if missing := shape - message.keys():
        raise _InvalidMessage(f"no {', '.join(sorted(missing))}")
    if extra := message.keys() - shape:
        raise _InvalidMessage(f"extra {', '.join(sorted(extra))}")


def _only_text(body: object, key: str) -> str:
    if not isinstance(body, dict):
        raise _InvalidMessage(f"no object that holds {key}")
    _require_keys(body, frozenset({key}))
    value = body[key]
    if not isinstance(value, str) or not value:
        raise _InvalidMessage(f"{key} is not a text")
    return value


def _payload(body: object) -> bytes:
    try:
        return base64.b64decode(_only_text(body, "payload"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _InvalidMessage("payload is not base64") from error
