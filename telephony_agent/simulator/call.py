"""One whole call as Twilio makes it: webhook, TwiML, media stream, what follows it, status callbacks.

This is the asyncio shell around the pure parts: it owns the sockets and reads the clock.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import httpx
import numpy as np

from telephony_agent.simulator import twiml
from telephony_agent.simulator.caller import Caller, Talker, rehearse
from telephony_agent.simulator.debugger import Notice
from telephony_agent.simulator.events import Event, EventKind, Listener
from telephony_agent.simulator.faults import Behaviour, Dialled
from telephony_agent.simulator.interpreter import Hooks, Interpreter, Line
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.orders import Document, End, EndedBy
from telephony_agent.simulator.parties import Parties
from telephony_agent.simulator.script import Script
from telephony_agent.simulator.speech import Speaker
from telephony_agent.simulator.stream_record import StreamRecord
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twiml import TwimlError, Verb
from telephony_agent.simulator.webhooks import Posted, StatusCallbacks, Subscription, Webhooks


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
    call: PlacedCall,
    *,
    speaker: Speaker | None = None,
    caller: Talker | None = None,
    on_event: Listener | None = None,
    client: httpx.AsyncClient | None = None,
) -> CallResult:
    """Make a call and live it to its end, in real time.

    Args:
        call: who calls whom, how.
        speaker: the caller's voice; one is made if the script speaks and none is given. Sharing one saves synthesis.
        caller: who talks, instead of one who plays the script.
        on_event: called in the event loop with everything that happens; must not block.
        client: shared by calls that must not disturb each other: to make one takes some ten milliseconds.

    Raises:
        SpeechError: the script speaks, and espeak-ng is missing or fails.
    """
    if caller is None:
        if speaker is None and call.script.speaks:
            speaker = Speaker()
        caller = Caller(call.script, await asyncio.to_thread(rehearse, call.script, speaker), call.seed)
    return await _Carrier(call, caller, on_event, client).run()


class _Carrier:
    """Twilio for the length of one call."""

    def __init__(
        self, call: PlacedCall, caller: Talker, on_event: Listener | None, client: httpx.AsyncClient | None
    ) -> None:
        self._call = call
        self._behaviour = call.behaviour
        self._parties = call.parties
        self._tunnel = Tunnel(call.public_url, call.url)
        self._caller = caller
        self._on_event = on_event
        self._webhooks = Webhooks(self._tunnel, call.auth_token, call.behaviour, client)
        self._callbacks = StatusCallbacks(
            self._webhooks,
            Subscription(self._tunnel.public(call.status_path)),
            call.parties,
            call.behaviour.faults.callbacks,
            seed=call.seed,
        )
        line = Line(call.parties, self._webhooks, self._tunnel, call.auth_token, call.behaviour, call.seed)
        self._interpreter = Interpreter(line, caller, Hooks(self._answer, self._emit, self._dial))
        self._placed_s = time.monotonic()
        self._answered_s: float | None = None
        self._events: list[Event] = []

    async def run(self) -> CallResult:
        try:
            end = await self._live()
            await self._callbacks.finish()
        finally:
            await self._callbacks.cancel()
            await self._webhooks.close()
        obeyed = self._interpreter
        self._emit(EventKind.ENDED, f"{end.by}: {end.reason}")
        return CallResult(
            call_sid=self._parties.call_sid,
            script=self._call.script,
            ended_by=end.by,
            end_reason=end.reason,
            said_everything=self._caller.is_done,
            gave_up=self._caller.gave_up,
            duration_s=self._talked_s(),
            streams=tuple(obeyed.streams),
            notices=(*obeyed.notices, *self._callbacks.notices),
            posted=tuple(self._webhooks.posted),
            verbs=tuple(obeyed.verbs),
            events=tuple(self._events),
        )

    async def _live(self) -> End:
        outbound = self._parties.direction != "inbound"
        self._callbacks.report("initiated")
        self._callbacks.report("ringing")
        self._emit(EventKind.RINGS, self._call.script.name)
        if outbound:
            self._answer()
        document = Document(self._tunnel.public(self._call.voice_path))
        form = self._parties.voice_form("in-progress" if outbound else "ringing")
        try:
            end = await self._interpreter.run(document, form)
        except TwimlError as error:
            self._interpreter.note(error.notice)
            end = End(EndedBy.ERROR, str(error.notice))
        if end.by is EndedBy.REJECTED:
            self._callbacks.report("busy" if end.reason == "busy" else "no-answer", 0.0)
        else:
            self._callbacks.report("completed", self._talked_s())
        return end

    async def _dial(self, verb: twiml.Dial) -> Dialled:
        await asyncio.sleep(self._behaviour.pace.dialled_ms / 1000)
        return self._behaviour.dialled

    def _answer(self) -> None:
        if self._answered_s is None:
            self._answered_s = time.monotonic()
            self._callbacks.report("in-progress")
            self._emit(EventKind.ANSWERED)

    def _talked_s(self) -> float:
        return time.monotonic() - self._answered_s if self._answered_s is not None else 0.0

    def _emit(self, kind: EventKind, text: str = "", value: int | None = None) -> None:
        event = Event(int((time.monotonic() - self._placed_s) * 1000), kind, text, value)
        self._events.append(event)
        if self._on_event is not None:
            self._on_event(event)


def _joined(tracks: list[Pcm]) -> Pcm:
    return np.concatenate(tracks) if tracks else np.zeros(0, np.int16)
