"""One call of a twin's account, from its order or its ring to its final state, and what Twilio tells of it meanwhile.

========================  ==================================================================  =====================
state                     what happens                                                        leaves it
========================  ==================================================================  =====================
queued                    waits for its turn, then is dialled: ``initiated`` is reported      it rings; busy; failed;
                                                                                              canceled
ringing                   by the callee's rings, within the ring timeout                      answer; busy; no answer;
                                                                                              canceled
in progress               ``answered`` is reported; detection; the voice webhook; its TwiML   completed
========================  ==================================================================  =====================

An incoming call rings while its voice webhook is asked, and is answered by the first verb that needs it to be.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

import httpx
import numpy as np

from telephony_agent.simulator import twiml
from telephony_agent.simulator.amd import Detection, Verdict, verdict
from telephony_agent.simulator.call_record import CallRecord, CallStatus
from telephony_agent.simulator.callee import Callee
from telephony_agent.simulator.caller import Caller, Cue
from telephony_agent.simulator.debugger import Notice
from telephony_agent.simulator.dialling import Rung, ring
from telephony_agent.simulator.events import Event, EventKind
from telephony_agent.simulator.faults import Dialled
from telephony_agent.simulator.interpreter import Hooks, Interpreter, Line
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.orders import Document, End, EndedBy, Ordered
from telephony_agent.simulator.rest_order import CallOrder
from telephony_agent.simulator.rest_recordings import Recording
from telephony_agent.simulator.signing import Form
from telephony_agent.simulator.stream_record import StreamRecord
from telephony_agent.simulator.twiml import TwimlError, Verb
from telephony_agent.simulator.twin_settings import TwinSettings
from telephony_agent.simulator.wav import mixed, wav_of
from telephony_agent.simulator.webhooks import Posted, StatusCallbacks, Subscription, Webhooks

CallListener = Callable[[str, Event], None]
"""Takes a CallSid and what happened in that call."""


@dataclass(frozen=True, slots=True)
class Facilities:
    """What the calls of one account share.

    ``dial`` dials a second leg for a line; ``keep`` takes recordings; ``on_event`` takes all that happens.
    """

    settings: TwinSettings
    client: httpx.AsyncClient
    dial: Callable[[Line, twiml.Dial], Coroutine[Any, Any, Dialled]]
    keep: Callable[[Recording], None]
    on_event: CallListener


class PhoneCall:
    """One call; build it, ``run`` it once.

    ``record`` tells at any time how it stands, ``end`` how it ended; ``is_live`` holds until the agent was told all.
    """

    def __init__(
        self,
        order: CallOrder,
        record: CallRecord,
        callee: Callee,
        cues: tuple[Cue, ...],
        facilities: Facilities,
        seed: int,
    ) -> None:
        self.order = order
        self.record = record
        self.callee = callee
        self._cues = cues
        self._facilities = facilities
        self._document = order.document
        settings, parties = facilities.settings, record.parties
        self._webhooks = Webhooks(settings.tunnel, settings.account.auth_token, settings.behaviour, facilities.client)
        self._callbacks = StatusCallbacks(
            self._webhooks, order.progress, parties, settings.behaviour.faults.callbacks, seed=seed
        )
        self._caller = Caller(callee.script, cues, seed)
        self._line = Line(
            parties, self._webhooks, settings.tunnel, settings.account.auth_token, settings.behaviour, seed
        )
        hooks = Hooks(self._answer, self._emit, self._dial, self._caller.press)
        self._interpreter = Interpreter(self._line, self._caller, hooks, lives_on=True)
        self._detecting: asyncio.Task[None] | None = None
        self._placed_s = time.monotonic()
        self.end: End | None = None
        self.is_live = True
        self.events: list[Event] = []

    @property
    def streams(self) -> tuple[StreamRecord, ...]:
        """The media streams that have ended."""
        return tuple(self._interpreter.streams)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What Twilio's console would show of the call."""
        return (*self._interpreter.notices, *self._callbacks.notices)

    @property
    def verbs(self) -> tuple[Verb, ...]:
        """The TwiML that was obeyed."""
        return tuple(self._interpreter.verbs)

    @property
    def posted(self) -> tuple[Posted, ...]:
        """Every request to the agent, with its answer."""
        return tuple(self._webhooks.posted)

    @property
    def other_track(self) -> Pcm:
        """What the other party said, over all streams: ``int16`` at 8 kHz."""
        return _joined([stream.caller for stream in self.streams])

    @property
    def agent_track(self) -> Pcm:
        """What the agent was heard to say, as long as the other track."""
        return _joined([stream.agent for stream in self.streams])

    @property
    def message(self) -> Pcm | None:
        """What a voicemail recorded after its beep; ``None`` if there was no beep."""
        return self._caller.tape

    def hang_up(self, by: EndedBy = EndedBy.AGENT, reason: str = "hung up over REST") -> None:
        """End the call; before it is answered, that cancels it."""
        self._interpreter.order(End(by, reason))

    def redirect(self, document: Document) -> None:
        """Put other TwiML in the place of what runs, or of what would be asked for at the answer."""
        if self.record.parties.direction == "inbound" or self.record.status is CallStatus.IN_PROGRESS:
            self._interpreter.order(document)
        else:
            self._document = document

    def report_to(self, subscription: Subscription) -> None:
        """Change where progress is reported to."""
        self._callbacks.subscription = subscription

    async def run(self) -> None:
        """Live the call to its end."""
        try:
            rung = await self._placed()
            if rung.status is CallStatus.IN_PROGRESS:
                self.end = await self._talk_within_limit()
                rung = self._unanswered() or Rung(CallStatus.COMPLETED, 200)
            self.record.move(rung.status)
            self._callbacks.report(rung.status.value, self.record.talked_s(), sip_response=rung.sip_response)
            self._emit(EventKind.ENDED, f"{rung.status.value}: {self.end.reason if self.end else 'never answered'}")
            await self._record()
            await self._callbacks.finish()
        finally:
            self.record.move(CallStatus.FAILED)
            await self._callbacks.cancel()
            await self._webhooks.close()
            self.is_live = False

    async def _placed(self) -> Rung:
        """Bring the call to where TwiML runs, or to its end before that."""
        parties = self.record.parties
        try:
            await self._interpreter.wait(self.record.queue_ms / 1000)
            self.record.begin()
            self._callbacks.report("initiated")
            if parties.direction == "inbound":
                self._rings()
                return Rung(CallStatus.IN_PROGRESS, 200)
            pace = self._facilities.settings.pace
            rung = await ring(self.callee, self.order.timeout_s, pace, self._interpreter.wait, self._rings)
        except Ordered:
            end = self._interpreter.take_order()
            assert isinstance(end, End), "a call that isn't answered is redirected without an order"
            self.end = end
            return Rung(CallStatus.CANCELED, 487)
        if rung.status is CallStatus.IN_PROGRESS:
            self._answer()
        return rung

    def _rings(self) -> None:
        self.record.move(CallStatus.RINGING)
        self._callbacks.report("ringing")
        self._emit(EventKind.RINGS, self.callee.name)

    def _answer(self) -> None:
        if self.record.status is not CallStatus.IN_PROGRESS:
            self.record.move(CallStatus.IN_PROGRESS)
            self._interpreter.pick_up()
            self._callbacks.report("in-progress")
            self._emit(EventKind.ANSWERED)

    async def _talk_within_limit(self) -> End:
        limit_s = self.order.time_limit_s
        timer = asyncio.get_running_loop().call_later(
            limit_s, self.hang_up, EndedBy.AGENT, f"the time limit of {limit_s} s"
        )
        try:
            return await self._talk()
        except TwimlError as error:
            self._interpreter.note(error.notice)
            return End(EndedBy.ERROR, str(error.notice))
        finally:
            timer.cancel()
            if self._detecting is not None:
                # A verdict that is out is told to the end, whatever the agent does about it meanwhile.
                if not self.record.answered_by:
                    self._detecting.cancel()
                await asyncio.gather(self._detecting, return_exceptions=True)

    async def _talk(self) -> End:
        """Ask for the call's TwiML, when it is due, and obey it."""
        parties = self.record.parties
        if parties.direction == "inbound":
            return await self._interpreter.run(self._document, parties.voice_form("ringing"))
        try:
            await self._interpreter.press(self.order.send_digits)
            form = await self._detect(parties.voice_form("in-progress"))
            await self._interpreter.wait(self._facilities.settings.pace.webhook_ms / 1000)
        except Ordered:
            order = self._interpreter.take_order()
            if isinstance(order, End):
                return order
            return await self._interpreter.run(order, parties.form("in-progress"))
        return await self._interpreter.run(self._document, form)

    async def _detect(self, form: Form) -> Form:
        """Wait for who answered, where the order wants that before anything else; the verdict goes with the form."""
        order = self.order.detection
        if order.detection is Detection.OFF:
            return form
        found = verdict(self.callee.detected, self._cues, order.detection, order.thresholds)
        fixed_ms = self._facilities.settings.pace.detection_ms
        if fixed_ms is not None:
            found = replace(found, after_ms=fixed_ms)
        if order.is_asynchronous:
            self._detecting = asyncio.create_task(self._tell_later(found))
            return form
        await self._interpreter.wait(found.after_ms / 1000)
        self.record.answered_by = found.answered_by
        return (*form, *_verdict_form(found))

    async def _tell_later(self, found: Verdict) -> None:
        await asyncio.sleep(found.after_ms / 1000)
        self.record.answered_by = found.answered_by
        parties, callback = self.record.parties, self.order.detection.callback
        if not callback.url:
            return
        form = (("CallSid", parties.call_sid), ("AccountSid", parties.account_sid), *_verdict_form(found))
        await self._notify(callback, form)

    def _unanswered(self) -> Rung | None:
        """Tell how an incoming call ended that was never answered; ``None``: it was."""
        if self.record.answered is not None or self.end is None:
            return None
        match self.end.by:
            case EndedBy.REJECTED if self.end.reason == "busy":
                return Rung(CallStatus.BUSY, 486)
            case EndedBy.REJECTED:
                return Rung(CallStatus.NO_ANSWER, 603)
            case EndedBy.ERROR:
                return Rung(CallStatus.FAILED, 500)
            case EndedBy.AGENT | EndedBy.CALLER:
                return Rung(CallStatus.CANCELED, 487)

    async def _record(self) -> None:
        order = self.order.recording
        if order is None or not len(self.other_track):
            return
        other, agent = self.other_track, self.agent_track
        wav = wav_of(other, agent) if order.channels == 2 else wav_of(mixed(other, agent))
        recording = Recording(self.record.sid, order.channels, round(len(other) / 8000), wav)
        self._facilities.keep(recording)
        if order.callback.url and "completed" in order.callback.events:
            await self._notify(order.callback, self._recording_form(recording))

    def _recording_form(self, recording: Recording) -> Form:
        account_sid = self.record.parties.account_sid
        return (
            ("AccountSid", account_sid),
            ("CallSid", recording.call_sid),
            ("RecordingSid", recording.sid),
            ("RecordingUrl", f"https://api.twilio.com/2010-04-01/Accounts/{account_sid}/Recordings/{recording.sid}"),
            ("RecordingStatus", "completed"),
            ("RecordingDuration", str(recording.duration_s)),
            ("RecordingChannels", str(recording.channels)),
            ("RecordingSource", "OutboundAPI"),
        )

    async def _notify(self, subscription: Subscription, form: Form) -> None:
        notice = await self._webhooks.notify(subscription.url, form, method=subscription.method)
        if notice is not None:
            self._interpreter.note(notice)

    async def _dial(self, verb: twiml.Dial) -> Dialled:
        return await self._facilities.dial(self._line, verb)

    def _emit(self, kind: EventKind, text: str = "", value: int | None = None) -> None:
        event = Event(int((time.monotonic() - self._placed_s) * 1000), kind, text, value)
        self.events.append(event)
        self._facilities.on_event(self.record.sid, event)


def _verdict_form(found: Verdict) -> Form:
    return (("AnsweredBy", found.answered_by), ("MachineDetectionDuration", str(found.after_ms)))


def _joined(tracks: list[Pcm]) -> Pcm:
    return np.concatenate(tracks) if tracks else np.zeros(0, np.int16)
