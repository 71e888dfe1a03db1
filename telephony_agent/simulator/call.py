"""One whole call as Twilio makes it: webhook, TwiML, media stream, what follows it, status callbacks.

This is the asyncio shell around the pure parts: it owns the sockets and reads the clock.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from telephony_agent.simulator import twiml
from telephony_agent.simulator.caller import Caller, Cue, rehearse
from telephony_agent.simulator.debugger import Code, Notice
from telephony_agent.simulator.events import Event, EventKind, Listener
from telephony_agent.simulator.faults import Behaviour, SignatureFault
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.parties import Parties, made_up_sid
from telephony_agent.simulator.script import Script
from telephony_agent.simulator.signing import Form, sign
from telephony_agent.simulator.speech import Speaker
from telephony_agent.simulator.stream import Stream, StreamEnd
from telephony_agent.simulator.stream_record import StreamRecord
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twiml import TwimlError, Verb
from telephony_agent.simulator.webhooks import Posted, StatusCallbacks, Webhooks
from telephony_agent.simulator.wire import StreamWire

_VERB_LIMIT: Final = 50
"""Verbs after which a call that only goes round in redirects is given up."""

_CLOSE_TIMEOUT_S: Final = 5


class EndedBy(StrEnum):
    """Who ended a call; ``error`` when something broke on the way, ``rejected`` when it was never answered."""

    AGENT = "agent"
    CALLER = "caller"
    ERROR = "error"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """A call to make.

    ``url`` is where the agent listens, ``public_url`` what it believes to be its address (``AGENT_PUBLIC_URL``).
    ``auth_token`` signs; give the secondary one to see what the agent makes of it.
    """

    script: Script
    url: str
    public_url: str
    auth_token: str
    parties: Parties = field(default_factory=Parties)
    behaviour: Behaviour = field(default_factory=Behaviour)
    voice_path: str = "/twilio/voice"
    status_path: str = "/twilio/status"
    seed: int = 1


@dataclass(frozen=True, slots=True)
class CallResult:
    """What became of a call.

    ``streams`` holds one record for each media stream, ``notices`` what Twilio's console would show (31921 belongs to
    every call that the agent ends), ``posted`` every webhook with its answer. ``said_everything`` tells whether the
    caller got to the end of its script; ``gave_up`` why it did not, if it left by itself.
    """

    call_sid: str
    script: Script
    ended_by: EndedBy
    end_reason: str
    said_everything: bool
    gave_up: str
    duration_s: float
    streams: tuple[StreamRecord, ...]
    notices: tuple[Notice, ...]
    posted: tuple[Posted, ...]
    verbs: tuple[Verb, ...]
    events: tuple[Event, ...]

    @property
    def caller(self) -> Pcm:
        """The caller's track over all streams."""
        return _joined([stream.caller for stream in self.streams])

    @property
    def agent(self) -> Pcm:
        """The agent's track over all streams, as long as the caller's."""
        return _joined([stream.agent for stream in self.streams])

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """The notices after which Twilio goes on."""
        return tuple(notice for notice in self.notices if notice.is_warning)

    @property
    def turned_away(self) -> bool:
        """Whether the agent took the call only to send it away: its TwiML led to no stream and to no person."""
        took = self.ended_by in (EndedBy.AGENT, EndedBy.REJECTED)
        return took and not any(isinstance(verb, twiml.Connect | twiml.Dial) for verb in self.verbs)


async def place_call(
    call: PlacedCall, *, speaker: Speaker | None = None, on_event: Listener | None = None
) -> CallResult:
    """Make a call and live it to its end, in real time.

    Args:
        call: who calls whom, how.
        speaker: the caller's voice; one is made if the script speaks and none is given. Sharing one saves synthesis.
        on_event: called in the event loop with everything that happens; must not block.

    Raises:
        SpeechError: the script speaks, and espeak-ng is missing or fails.
    """
    if speaker is None and call.script.speaks:
        speaker = Speaker()
    cues = await asyncio.to_thread(rehearse, call.script, speaker)
    return await _Carrier(call, cues, on_event).run()


@dataclass(frozen=True, slots=True)
class _End:
    by: EndedBy
    reason: str


class _Carrier:
    """Twilio for the length of one call."""

    def __init__(self, call: PlacedCall, cues: tuple[Cue, ...], on_event: Listener | None) -> None:
        self._call = call
        self._behaviour = call.behaviour
        self._parties = call.parties
        self._tunnel = Tunnel(call.public_url, call.url)
        self._caller = Caller(call.script, cues, call.seed)
        self._on_event = on_event
        self._webhooks = Webhooks(self._tunnel, call.auth_token, call.behaviour)
        self._callbacks = StatusCallbacks(
            self._webhooks, self._tunnel.public(call.status_path), call.parties, call.behaviour.faults.callbacks
        )
        self._placed_s = time.monotonic()
        self._answered_s: float | None = None
        self._streams: list[StreamRecord] = []
        self._notices: list[Notice] = []
        self._verbs: list[Verb] = []
        self._events: list[Event] = []
        self._last_close: Notice | None = None

    async def run(self) -> CallResult:
        try:
            end = await self._live()
            await self._callbacks.finish()
        finally:
            await self._callbacks.cancel()
            await self._webhooks.close()
        self._notices += self._callbacks.notices
        self._emit(EventKind.ENDED, f"{end.by}: {end.reason}")
        return CallResult(
            call_sid=self._parties.call_sid,
            script=self._call.script,
            ended_by=end.by,
            end_reason=end.reason,
            said_everything=self._caller.is_done,
            gave_up=self._caller.gave_up,
            duration_s=self._talked_s(),
            streams=tuple(self._streams),
            notices=tuple(self._notices),
            posted=tuple(self._webhooks.posted),
            verbs=tuple(self._verbs),
            events=tuple(self._events),
        )

    async def _live(self) -> _End:
        outbound = self._parties.direction != "inbound"
        self._callbacks.report("initiated")
        self._callbacks.report("ringing")
        self._emit(EventKind.RINGS, self._call.script.name)
        if outbound:
            self._answer()
        url = self._tunnel.public(self._call.voice_path)
        form = self._parties.voice_form("in-progress" if outbound else "ringing")
        try:
            end = await self._obey(await self._fetch(url, form))
        except TwimlError as error:
            self._note(error.notice)
            end = _End(EndedBy.ERROR, str(error.notice))
        if end.by is EndedBy.REJECTED:
            self._callbacks.report("busy" if end.reason == "busy" else "no-answer", 0.0)
        else:
            self._callbacks.report("completed", self._talked_s())
        return end

    async def _obey(self, verbs: deque[Verb]) -> _End:
        """Carry out verbs until the call ends."""
        while verbs:
            verb = verbs.popleft()
            self._verbs.append(verb)
            if len(self._verbs) > _VERB_LIMIT:
                return _End(EndedBy.ERROR, f"more than {_VERB_LIMIT} verbs")
            self._emit(EventKind.VERB, type(verb).__name__)
            if not isinstance(verb, twiml.Reject | twiml.Redirect):
                self._answer()
            match verb:
                case twiml.Say(text):
                    await asyncio.sleep(len(text.split()) * self._behaviour.pace.say_ms_per_word / 1000)
                case twiml.Pause(length_s):
                    await asyncio.sleep(length_s * self._behaviour.pace.pause_ms_per_s / 1000)
                case twiml.Play():
                    continue
                case twiml.Redirect(url, method):
                    verbs = await self._fetch(url, self._parties.form("in-progress"), method)
                case twiml.Dial(_, action, method):
                    await asyncio.sleep(self._behaviour.pace.dialled_ms / 1000)
                    if action:
                        verbs = await self._fetch(action, self._dial_form(), method)
                case twiml.Hangup():
                    break
                case twiml.Reject(reason):
                    return _End(EndedBy.REJECTED, reason)
                case twiml.Connect():
                    end = await self._connect(verb)
                    if end.caller_left:
                        return _End(EndedBy.CALLER, self._caller.gave_up or "the caller hung up")
                    if verb.action:
                        verbs = await self._fetch(verb.action, self._parties.form("in-progress"), verb.method)
        return self._end_of_document()

    def _end_of_document(self) -> _End:
        close = self._last_close
        if close is not None and close.code is not Code.CLOSED:
            return _End(EndedBy.ERROR, str(close))
        return _End(EndedBy.AGENT, close.detail if close else "the TwiML ended the call")

    async def _connect(self, verb: twiml.Connect) -> StreamEnd:
        pace = self._behaviour.pace
        await asyncio.sleep((pace.reconnect_ms if self._streams else pace.upgrade_ms) / 1000)
        stream_sid = made_up_sid("MZ")
        try:
            websocket = await self._open(verb.url)
        except TwimlError as error:
            end = StreamEnd(False, error.notice)
        else:
            await self._stream_callback(verb, stream_sid, "stream-started")
            wire = StreamWire(self._parties.account_sid, self._parties.call_sid, stream_sid, verb.parameters)
            stream = Stream(websocket, wire, self._caller, self._behaviour, self._call.seed, self._emit)
            end = await stream.run()
            record = stream.record(stream_sid)
            self._streams.append(record)
            self._notices += record.warnings
        self._last_close = end.notice
        if end.notice is not None:
            self._note(end.notice)
        failed = end.notice is not None and end.notice.code is not Code.CLOSED
        await self._stream_callback(verb, stream_sid, "stream-error" if failed else "stream-stopped", str(end.notice))
        return end

    async def _open(self, url: str) -> ClientConnection:
        """Upgrade as Twilio does.

        Raises:
            TwimlError: refused; carries the console's number.
        """
        target = self._tunnel.websocket(url)
        address: dict[str, Any] = {"host": target.host, "port": target.port} if target.host else {}
        try:
            return await connect(
                target.uri,
                additional_headers=self._upgrade_signature(url),
                user_agent_header="Twilio.TmeWs/1.0",
                compression=None,
                proxy=None,
                ping_interval=None,
                close_timeout=_CLOSE_TIMEOUT_S,
                max_size=None,
                **address,
            )
        except InvalidStatus as error:
            raise TwimlError(Notice(Code.HANDSHAKE, f"answered {error.response.status_code}")) from error
        except InvalidHandshake as error:
            raise TwimlError(Notice(Code.HANDSHAKE, str(error))) from error
        except TimeoutError as error:
            raise TwimlError(Notice(Code.CONNECTION_TIMEOUT, url)) from error
        except ConnectionRefusedError as error:
            raise TwimlError(Notice(Code.CONNECTION_REFUSED, url)) from error
        except OSError as error:
            raise TwimlError(Notice(Code.BROKEN_PIPE, f"{url}: {error}")) from error

    def _upgrade_signature(self, url: str) -> dict[str, str]:
        match self._behaviour.faults.stream_signature:
            case SignatureFault.MISSING:
                return {}
            case SignatureFault.WRONG:
                return {"X-Twilio-Signature": sign(url, (), secrets.token_hex(16))}
            case SignatureFault.HTTPS:
                return {"X-Twilio-Signature": sign(url.replace("wss://", "https://", 1), (), self._call.auth_token)}
            case SignatureFault.NONE:
                return {"X-Twilio-Signature": sign(url, (), self._call.auth_token)}

    async def _fetch(self, url: str, form: Form, method: str = "POST") -> deque[Verb]:
        document = await self._webhooks.document(url, form, method=method)
        return deque(twiml.parse(document, url))

    async def _stream_callback(self, verb: twiml.Connect, stream_sid: str, event: str, error: str = "") -> None:
        if not verb.status_callback:
            return
        form = self._parties.stream_form(stream_sid, verb.name, event, error if event == "stream-error" else "")
        notice = await self._webhooks.notify(verb.status_callback, form)
        if notice is not None:
            self._note(notice)

    def _dial_form(self) -> Form:
        dialled = self._behaviour.dialled
        return (
            *self._parties.form("in-progress"),
            ("DialCallStatus", dialled.status),
            ("DialCallSid", made_up_sid("CA")),
            ("DialCallDuration", str(dialled.duration_s)),
        )

    def _answer(self) -> None:
        if self._answered_s is None:
            self._answered_s = time.monotonic()
            self._callbacks.report("in-progress")
            self._emit(EventKind.ANSWERED)

    def _talked_s(self) -> float:
        return time.monotonic() - self._answered_s if self._answered_s is not None else 0.0

    def _note(self, notice: Notice) -> None:
        self._notices.append(notice)
        self._emit(EventKind.NOTICE, str(notice))

    def _emit(self, kind: EventKind, text: str = "", value: int | None = None) -> None:
        event = Event(int((time.monotonic() - self._placed_s) * 1000), kind, text, value)
        self._events.append(event)
        if self._on_event is not None:
            self._on_event(event)


def _joined(tracks: list[Pcm]) -> Pcm:
    return np.concatenate(tracks) if tracks else np.zeros(0, np.int16)
