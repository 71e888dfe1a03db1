"""All calls of this process by CallSid: who may come in, who is live, how each ended.

A call is *expected* from its voice webhook, *live* while its media stream runs, and *ended* after that; the last ones
that ended are remembered for whoever asks. An expected call holds a place and a one-use token, and its responder
session reads the system prompt already while the phone still rings.

What the engines were measured to take (``live.capacity``) decides whether there is a place, under a hard cap where one
is set.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from loguru import logger

from telephony_agent.core.call_flow import CallFlow
from telephony_agent.core.call_terms import Announcements, CallPolicy, CallRules
from telephony_agent.core.conversation import Conversation
from telephony_agent.core.events import CallerLeft, EndReason, EndRequested
from telephony_agent.core.media_stream import CallSid, MediaStream, Started
from telephony_agent.core.trace import header_of
from telephony_agent.engines.base import Message, ReplySession
from telephony_agent.errors import AdmissionError
from telephony_agent.live.call_book import CallBook
from telephony_agent.live.engine_room import EngineRoom
from telephony_agent.live.lanes import Job
from telephony_agent.live.leg import Leg
from telephony_agent.live.sales_desk import SalesDesk, outcome_of
from telephony_agent.live.watch import CallWatch, Watch
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import Setting
from telephony_agent.sales.outcome import Outcome
from telephony_agent.store import NewCall

TOKEN_LIFE_S = 30.0
LINGER_S = 2.0
KEPT_CALLS = 500
FINAL_STATUSES = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
REPLY_ROOM_TOKENS = 150
"""Of the model's window, what is left free for the reply."""


def opening(system_prompt: str, announcements: Announcements) -> list[Message]:
    """Return what every conversation begins with: what a responder may read before anybody calls."""
    return [
        Message(role="system", content=system_prompt),
        Message(role="assistant", content=announcements.greeting.text),
    ]


class CallState(StrEnum):
    """Where a call is in its life."""

    EXPECTED = "expected"
    LIVE = "live"
    ENDED = "ended"


@dataclass(slots=True)
class Call:
    """One call as the switchboard knows it."""

    call_sid: CallSid
    direction: str
    from_number: str
    to_number: str
    flow: CallFlow
    session: ReplySession
    token: str
    expires_at: float
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime | None = None
    state: CallState = CallState.EXPECTED
    end_reason: EndReason | None = None
    carrier_status: str = ""
    carrier_sequence: int = -1
    leg: Leg | None = None
    setting: Setting | None = None
    guide: Guide | None = None
    outcome: Outcome | None = None
    book: CallBook | None = None


class Switchboard:
    """Admits, places and drains calls. Lives on the event loop."""

    def __init__(
        self,
        room: EngineRoom,
        announcements: Announcements,
        system_prompt: str,
        policy: CallPolicy,
        rules: CallRules,
        *,
        max_calls: int,
        watch: Watch | None = None,
        desk: SalesDesk | None = None,
        takes_notes: bool = False,
    ) -> None:
        """Take the parts of a server.

        Args:
            max_calls: the hard cap, 0 for none.
            desk: gives each call its guide; without one everything is left to the model.
            takes_notes: whether the model understands the guide's notes.
        """
        self._desk = desk
        self._takes_notes = takes_notes
        self._room = room
        self._announcements = announcements
        self._system_prompt = system_prompt
        self._policy = policy
        self._rules = rules
        self._max_calls = max_calls
        self._watch = watch or Watch()
        self._calls: OrderedDict[CallSid, Call] = OrderedDict()
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False

    @property
    def ready(self) -> bool:
        """Whether calls are taken at all."""
        return self._room.healthy and not self._draining

    def find(self, call_sid: str) -> Call | None:
        """Return a call that is expected, live or lately ended."""
        return self._calls.get(CallSid(call_sid))

    def expect(self, call_sid: str, *, direction: str, from_number: str, to_number: str) -> str | None:
        """Hold a place for a call; return the token that its stream must bring, or None when there is no place.

        A repeated webhook of the same call gets a fresh token, and the first one is void; one that comes when the call
        is live already gets none. Why a call is turned away is logged and counted here.
        """
        now = asyncio.get_running_loop().time()
        self._forget(now)
        sid = CallSid(call_sid)
        call = self._calls.get(sid)
        if call is not None and call.state is CallState.LIVE:
            logger.bind(call_sid=sid).warning("A call was turned away: it is live already")
            return None
        if call is None or call.state is CallState.ENDED:
            if not self._has_place(sid, now):
                return None
            call = self._place(sid, direction, from_number, to_number)
        call.token = secrets.token_urlsafe(24)
        call.expires_at = now + TOKEN_LIFE_S
        return call.token

    def admit(
        self, stream: MediaStream, started: Started, *, send: Callable[[str], None], hang_up: Callable[[], None]
    ) -> Leg:
        """Give a stream that has started its call.

        Raises:
            AdmissionError: no such call is expected, the token is not that call's, was used, or came too late.
        """
        call = self._calls.get(started.call_sid)
        token = started.parameters.get("token", "")
        if call is None or call.state is not CallState.EXPECTED:
            raise AdmissionError("no such call is expected")
        if not call.token or not secrets.compare_digest(token.encode(), call.token.encode()):
            raise AdmissionError("the token is not this call's")
        if asyncio.get_running_loop().time() > call.expires_at:
            raise AdmissionError("the token came too late")
        call.token = ""
        call.state = CallState.LIVE
        if call.book is not None:
            call.book.answered()
        self._idle.clear()
        self._tell_capacity()

        def ended(reason: EndReason) -> None:
            self.end(call, reason)
            hang_up()

        call.leg = Leg(
            stream,
            call.flow,
            self._room,
            call.session,
            send=send,
            hang_up=ended,
            watch=self._watch_over(call, started),
        )
        return call.leg

    def end(self, call: Call, reason: EndReason) -> None:
        """Note that a live call is over; a second end changes nothing."""
        if call.state is CallState.ENDED:
            return
        talked = call.state is CallState.LIVE
        call.state = CallState.ENDED
        call.end_reason = reason
        call.ended_at = datetime.now(UTC)
        self._conclude(call, reason if talked else None)
        call.leg = None
        self._tell_capacity()
        if not self._live():
            self._idle.set()

    def note_status(self, call_sid: str, status: str, sequence: int) -> None:
        """Take the carrier's word on a call's progress; words that come twice or out of order change nothing."""
        call = self.find(call_sid)
        if call is None or sequence <= call.carrier_sequence:
            return
        call.carrier_sequence, call.carrier_status = sequence, status
        if status not in FINAL_STATUSES:
            return
        if call.leg is not None:
            # The carrier says that it is over, but no ``stop`` came: don't talk to a dead line.
            call.leg.tell(CallerLeft(stopped=True))
        else:
            # Its stream never came, whoever gave up first.
            self.end(call, EndReason.LINE)

    async def drain(self, timeout_s: float) -> None:
        """Take no more calls, take leave in the live ones, wait until they are over."""
        self._draining = True
        for call in list(self._calls.values()):
            if call.leg is not None:
                call.leg.tell(EndRequested(EndReason.SHUTDOWN))
        if not self._live():
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            logger.warning("Calls were still live at shutdown")
        # Twilio asks what follows a stream once its socket is closed; somebody must still be there to answer.
        await asyncio.sleep(LINGER_S)

    def _place(self, sid: CallSid, direction: str, from_number: str, to_number: str) -> Call:
        responder = self._room.engines.responder
        conversation = Conversation(
            self._system_prompt,
            budget=responder.context_tokens - REPLY_ROOM_TOKENS,
            count=responder.count_tokens,
            takes_notes=self._takes_notes,
        )
        other = to_number if direction == "outbound" else from_number
        setting = self._desk.setting(other) if self._desk is not None else None
        guide = self._desk.guide(setting) if self._desk is not None and setting is not None else None
        call = Call(
            call_sid=sid,
            direction=direction,
            from_number=from_number,
            to_number=to_number,
            flow=CallFlow(self._rules, self._announcements, conversation, self._policy, guide),
            setting=setting,
            guide=guide,
            session=responder.session(),
            token="",
            expires_at=0.0,
        )
        if self._watch.recorder is not None:
            call.book = CallBook(self._watch.recorder.call(sid), _new_call(call), guide)
        self._calls.pop(sid, None)
        self._calls[sid] = call
        self._prefill(call)
        return call

    def _conclude(self, call: Call, reason: EndReason | None) -> None:
        """Write the record of a call; ``reason`` is None where nobody talked."""
        if call.guide is None or call.setting is None:
            return
        call.outcome = outcome_of(call.guide, call.setting, reason)
        logger.bind(call_sid=call.call_sid, disposition=call.outcome.disposition.value).info("A call is concluded")
        if call.book is not None:
            call.book.conclude(call.outcome, call.flow.conversation.turns)

    def _watch_over(self, call: Call, started: Started) -> CallWatch:
        log = logger.bind(call_sid=call.call_sid, stream_sid=started.stream_sid, direction=call.direction)
        traces = self._watch.traces
        told = call.setting.as_data() if call.setting is not None else {}
        header = header_of(self._rules, self._announcements, self._policy, told)
        return CallWatch(
            self._watch, log, traces.open(call.call_sid, header) if traces is not None else None, call.book
        )

    def _prefill(self, call: Call) -> None:
        """Let the responder read what it can know before the caller has said a word."""
        session = call.session
        messages = opening(self._system_prompt, self._announcements)

        def work(job: Job) -> None:
            session.prefill(messages, job.cancelled)

        def ended(error: Exception | None) -> None:
            if error is not None:
                logger.bind(call_sid=call.call_sid, error=str(error)).warning("The prompt could not be read ahead")

        self._room.responding.submit(work, deadline_s=TOKEN_LIFE_S, on_item=lambda _: None, on_end=ended)

    def _has_place(self, sid: CallSid, now: float) -> bool:
        placed = sum(call.state is not CallState.ENDED for call in self._calls.values())
        log = logger.bind(call_sid=sid, placed=placed)
        refused = self._watch.metrics.calls_refused
        if self._max_calls and placed >= self._max_calls:
            refused.labels("max_calls").inc()
            log.bind(max_calls=self._max_calls).warning("A call was turned away: all places are taken")
            return False
        forecast = self._room.capacity.with_calls(placed + 1, now)
        if not forecast.fits:
            refused.labels("engines").inc()
            log.bind(**forecast.figures()).warning("A call was turned away: the engines have no time for it")
        return forecast.fits

    def _live(self) -> int:
        return sum(call.state is CallState.LIVE for call in self._calls.values())

    def _tell_capacity(self) -> None:
        self._room.capacity.live(self._live(), asyncio.get_running_loop().time())

    def _forget(self, now: float) -> None:
        """Give up calls whose stream never came, and the oldest of those that ended."""
        for call in list(self._calls.values()):
            if call.state is CallState.EXPECTED and now > call.expires_at:
                logger.bind(call_sid=call.call_sid).warning("The call's stream never came")
                self._conclude(call, None)
                del self._calls[call.call_sid]
        while len(self._calls) > KEPT_CALLS:
            oldest = next(iter(self._calls.values()))
            if oldest.state is not CallState.ENDED:
                break
            self._calls.popitem(last=False)


def _new_call(call: Call) -> NewCall:
    outbound = call.direction == "outbound"
    return NewCall(
        call_id=call.call_sid,
        direction="outbound" if outbound else "inbound",
        started_at=call.began_at,
        number=call.to_number if outbound else call.from_number,
        our_number=call.from_number if outbound else call.to_number,
        call_sid=call.call_sid,
    )
