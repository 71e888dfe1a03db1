"""The calls of this process from their ring to their end: who may come in, who is live, how each ended.

A call that we place is *dialled* until somebody answers. A call is *expected* from its voice webhook, *live* while its
media stream runs, *away* while it waits for another one (``second_streams``), and *ended* after that. It holds a place
(``places``) from the first on, an expected one a one-use token too; and its responder session reads the system prompt
already while the phone still rings. While a caller is being connected to a person, the call isn't over until that
person takes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from loguru import logger

from telephony_agent.core.events import AnswererJudged, CallerLeft, EndReason, EndRequested, Opening
from telephony_agent.core.media_stream import CallSid, MediaStream, Started
from telephony_agent.live.call import After, Call, CallState, CallTerms, RequestRefusedError
from telephony_agent.live.call_maker import CallMaker
from telephony_agent.live.call_records import CallRecords
from telephony_agent.live.call_sessions import CallSessions
from telephony_agent.live.engine_room import EngineRoom
from telephony_agent.live.leg import Leg
from telephony_agent.live.line_results import FINAL_STATUSES, UNANSWERED
from telephony_agent.live.places import TOKEN_LIFE_S, Places
from telephony_agent.live.second_streams import SecondStreams
from telephony_agent.live.watch import Watch
from telephony_agent.sales.disposition import LineResult
from telephony_agent.sales.lead import Lead
from telephony_agent.store import NewCall

LINGER_S = 2.0
GOODBYE_S = 10.0
"""How long the last words of a call may take when the server stops."""


class Switchboard:
    """Admits, places and drains calls. Lives on the event loop."""

    def __init__(
        self,
        room: EngineRoom,
        terms: CallTerms,
        *,
        max_calls: int,
        watch: Watch | None = None,
        takes_notes: bool = False,
    ) -> None:
        """Take the parts of a server.

        Args:
            terms: of the calls that come in, and of those that we place by no other playbook.
            max_calls: the hard cap, 0 for none.
            takes_notes: whether the model understands the guide's notes.
        """
        self._room = room
        self._terms = terms
        self._maker = CallMaker(room.engines.responder, takes_notes=takes_notes)
        self._sessions = CallSessions(room)
        watch = watch or Watch()
        self._records = CallRecords(watch)
        self._places = Places(room.capacity, watch.metrics, max_calls=max_calls)
        self._second_streams = SecondStreams(self._places, self._sessions, self.end)
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        room.on_unhealthy = self._give_up

    @property
    def draining(self) -> bool:
        """Whether the server is about to stop."""
        return self._draining

    @property
    def ready(self) -> bool:
        """Whether calls are taken at all."""
        return self._room.healthy and not self._draining

    @property
    def places_taken(self) -> int:
        """How many calls are dialled, expected, live or away."""
        return self._places.taken

    def find(self, call_id: str) -> Call | None:
        """Return a call that is dialled, expected, live or lately ended, by its id or its CallSid."""
        return self._places.find(call_id)

    def ringing(self) -> list[Call]:
        """Return the calls that we placed and that nobody has answered yet."""
        return [call for call in self._places.calls if call.state is CallState.DIALLED]

    def expect(
        self, call_sid: str, *, direction: str, from_number: str, to_number: str, call_id: str = ""
    ) -> str | None:
        """Hold a place for a call; return the token that its stream must bring, or None when there is no place.

        A repeated webhook of the same call gets a fresh token, and the first one is void; one that comes when the call
        is live already gets none. Why a call is turned away is logged and counted here. ``call_id`` names a call that
        we placed: it has its place, or has been given up.
        """
        now = asyncio.get_running_loop().time()
        self._forget(now)
        sid = CallSid(call_sid)
        call = self.find(call_id or sid)
        log = logger.bind(call_sid=sid, call_id=call_id)
        if call is not None and call.state is CallState.LIVE:
            log.warning("A call was turned away: it is live already")
            return None
        if call_id and (call is None or call.state is CallState.ENDED):
            log.warning("A call that was given up was answered")
            return None
        if call is None or call.state is CallState.ENDED:
            if not self._places.has_room(sid, now):
                return None
            call = self._maker.from_carrier(sid, direction, from_number, to_number, self._terms)
            self._records.open(call)
            self._place(call)
        self.name(call, sid)
        call.state = CallState.EXPECTED
        self._idle.clear()
        loop = asyncio.get_running_loop()
        loop.call_later(TOKEN_LIFE_S + 1.0, lambda: self._forget(loop.time()))
        return self._places.give_token(call)

    def hold(
        self,
        call_id: str,
        lead: Lead,
        lead_id: int | None,
        terms: CallTerms | None = None,
        *,
        our_number: str,
        leaves_message: bool,
        listens: bool,
    ) -> Call | None:
        """Hold a place for a call that is to be placed; None when there is none. ``begin`` or ``release`` it next.

        Args:
            call_id: our own, unique for good.
            lead: whom we call.
            lead_id: the store's, where the lead is stored.
            terms: of a playbook of its own; None: the server's.
            our_number: what the called party sees.
            leaves_message: whether a mailbox gets one.
            listens: whether machines are known by their words and their beep; else only the carrier tells.
        """
        now = asyncio.get_running_loop().time()
        self._forget(now)
        if not self._places.has_room(call_id, now):
            return None
        terms = terms or self._terms
        said = terms.said if leaves_message else replace(terms.said, voicemail=None)
        policy = terms.policy if listens else terms.policy.deaf_to_machines()
        call = self._maker.to_lead(call_id, lead, our_number, replace(terms, said=said, policy=policy))
        call.hears_machines = listens
        call.lead_id = lead_id
        call.opening = Opening.ANSWERED
        call.state = CallState.DIALLED
        self._place(call)
        return call

    def begin(self, call: Call, new: NewCall) -> None:
        """Write down a call that is placed now; from here on it gets an outcome."""
        self._records.open(call, new)

    def release(self, call: Call) -> None:
        """Give the place of a call back that was never placed."""
        self._places.drop(call)
        self._sessions.close(call)
        call.over.set()
        self._note_idle()

    def name(self, call: Call, call_sid: str) -> None:
        """Note the carrier's name for a call."""
        if call_sid and call.call_sid != call_sid:
            self._places.name(call, CallSid(call_sid))
            if call.book is not None:
                call.book.placed(call_sid)

    def conclude(self, call: Call, line: LineResult) -> None:
        """End a call that nobody was talked to in; a second end changes nothing."""
        self.end(call, EndReason.LINE, line)

    def admit(
        self, stream: MediaStream, started: Started, *, send: Callable[[str], None], hang_up: Callable[[], None]
    ) -> Leg:
        """Give a stream that has started its call.

        Raises:
            AdmissionError: no such call is expected, the token is not that call's, was used, or came too late.
        """
        call = self._places.let_in(started)
        call.state = CallState.LIVE
        call.away = None
        if call.patience is not None:
            call.patience.cancel()
        if call.book is not None:
            call.book.answered()
        self._idle.clear()
        self._places.tell_capacity()

        def ended(reason: EndReason) -> None:
            self._stream_over(call, reason)
            hang_up()

        call.leg = Leg(
            stream,
            call.flow,
            self._room,
            call.session,
            send=send,
            hang_up=ended,
            watch=self._records.watch_over(call, started),
            opening=call.opening,
            answered_by=call.answered_by if call.opening is Opening.ANSWERED else "",
            hears_beeps=call.hears_machines,
        )
        return call.leg

    def after_stream(self, call: Call) -> After:
        """Say what follows the stream of a call, which Twilio says has ended."""
        if call.leg is not None:
            # Its socket is lost, and nobody has told us yet.
            call.leg.lose_line()
        if call.state is CallState.AWAY:
            return After.PERSON if call.away is EndReason.TRANSFER else After.AGENT
        if call.state is CallState.EXPECTED and call.dialled:
            # They answered, and no stream of ours came up.
            self.conclude(call, LineResult.ABANDONED)
            return After.APOLOGY
        if call.state is CallState.EXPECTED or call.end_reason is EndReason.FAULT:
            return After.APOLOGY
        # Where the line was lost when all had been said but goodbye, nobody waits for more.
        taken_leave = call.flow.end_reason is EndReason.LINE and not call.flow.broken_off
        return After.APOLOGY if call.end_reason is EndReason.LINE and not taken_leave else After.GOODBYE

    def recall(self, call: Call) -> str | None:
        """Let a caller come back to the agent on another stream; return its token, or None where that can't be."""
        if call.state is not CallState.AWAY:
            return None
        if not self.ready:
            self.end(call, EndReason.SHUTDOWN if self._draining else EndReason.FAULT)
            return None
        return self._second_streams.open(call)

    def taken(self, call: Call) -> None:
        """Note that a person has taken the call: it is over for us."""
        call.taken = True
        if call.state is CallState.AWAY and call.away is EndReason.TRANSFER:
            self.end(call, EndReason.TRANSFER)

    def _stream_over(self, call: Call, reason: EndReason) -> None:
        """End a call with its stream, unless it waits for another one."""
        call.leg = None
        if reason is EndReason.TRANSFER:
            self._second_streams.wait_for_person(call)
            self._records.hand_over(call)
            return
        may_wait = reason is EndReason.LINE and not self._draining
        if not (may_wait and self._second_streams.wait_for_line(call)):
            self.end(call, reason)

    def end(self, call: Call, reason: EndReason, line: LineResult | None = None) -> None:
        """Note that a call is over, with the line's result where that doesn't follow; a second end changes nothing."""
        if call.state is CallState.ENDED:
            return
        talked = call.state in (CallState.LIVE, CallState.AWAY)
        call.state = CallState.ENDED
        call.end_reason = reason
        call.ended_at = datetime.now(UTC)
        if call.patience is not None:
            call.patience.cancel()
        if call.watch is not None:
            call.watch.ended(reason, call.flow.conversation.turns)
        self._records.conclude(call, reason if talked or line is LineResult.ANSWERED else None, line)
        if call.token or not talked:
            self._sessions.close(call)
        call.token = ""
        call.leg = call.away = None
        call.over.set()
        self._places.tell_capacity()
        self._note_idle()

    def _note_idle(self) -> None:
        if not self._places.going_on:
            self._idle.set()

    def note_status(self, call_id: str, status: str, sequence: int | None = None, *, call_sid: str = "") -> None:
        """Take the carrier's word on a call's progress; words that come twice or out of order change nothing.

        Without ``sequence`` it is the latest, because we asked. ``call_sid`` may come to be known by it.
        """
        call = self.find(call_id)
        if call is None:
            return
        self.name(call, call_sid)
        sequence = call.carrier_sequence + 1 if sequence is None else sequence
        if sequence <= call.carrier_sequence:
            return
        call.carrier_sequence, call.carrier_status = sequence, status
        if status not in FINAL_STATUSES:
            return
        if call.leg is not None:
            # The carrier says that it is over, but no ``stop`` came: don't talk to a dead line.
            call.leg.tell(CallerLeft(stopped=True))
        else:
            self._end_unstreamed(call, status)

    def _end_unstreamed(self, call: Call, status: str) -> None:
        """End a call whose stream never came, whoever gave up first."""
        if call.away is not None:
            self.end(call, EndReason.CALLER if call.away is EndReason.TRANSFER else EndReason.LINE)
        elif not call.dialled:
            self.end(call, EndReason.LINE)
        elif status == "completed" and call.state is CallState.EXPECTED:
            # We were about to speak, and they had hung up.
            self.end(call, EndReason.CALLER, LineResult.ANSWERED)
        else:
            self.end(call, EndReason.LINE, UNANSWERED[status])

    def note_answerer(self, call_id: str, answered_by: str) -> None:
        """Take the carrier's word on who has answered a call that we placed."""
        call = self.find(call_id)
        if call is None:
            return
        logger.bind(call_id=call_id, answered_by=answered_by).info("The carrier tells who answered")
        call.answered_by = answered_by
        if call.leg is not None:
            call.leg.tell(AnswererJudged(answered_by))

    def request(self, call: Call, reason: EndReason) -> None:
        """Let a live call take leave, or with ``TRANSFER`` be handed over, because somebody outside it wants that.

        Raises:
            RequestRefusedError: the call isn't live, or is ending already, or there is nobody to hand it over to.
        """
        if call.state is CallState.AWAY:
            raise RequestRefusedError("the call has no line at the moment: it broke, or a person is being rung")
        if call.leg is None:
            raise RequestRefusedError("the call is not live: it has not been answered yet, or is over")
        if call.flow.leaving:
            raise RequestRefusedError("the call is ending already")
        if reason is EndReason.TRANSFER and call.terms.said.transfer is None:
            raise RequestRefusedError("there is nobody to hand the call over to; set AGENT_TRANSFER_NUMBER")
        logger.bind(call_sid=call.call_sid, reason=reason.value).info("A call's end was requested")
        call.leg.tell(EndRequested(reason))

    async def drain(self, limit_s: float) -> None:
        """Take no more calls, and wait for those that go on: for so long as they like, then until they took leave."""
        self._draining = True
        for call in self._places.calls:
            if call.away is EndReason.LINE:
                self.end(call, EndReason.LINE)
        if not self._places.going_on:
            return
        logger.bind(calls=self._places.going_on, limit_s=limit_s).info("Live calls may go on for a while")
        if not await self._idle_within(limit_s):
            self._take_leave(EndReason.SHUTDOWN)
            if not await self._idle_within(GOODBYE_S):
                logger.warning("Calls were still live at shutdown")
        # Twilio asks what follows a stream once its socket is closed; somebody must still be there to answer.
        await asyncio.sleep(LINGER_S)

    async def _idle_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def _take_leave(self, reason: EndReason) -> None:
        """Let every live call take leave, and end those that only wait."""
        for call in self._places.calls:
            if call.leg is not None:
                call.leg.tell(EndRequested(reason))
            elif call.away is not None or call.state is CallState.EXPECTED:
                self.end(call, reason)

    def _give_up(self) -> None:
        """Take leave in all calls: an engine hangs again and again, and they would only hear apologies."""
        logger.error("Engines hang too often: all calls take leave, and none is taken any more")
        self._take_leave(EndReason.FAULT)

    def _place(self, call: Call) -> None:
        """Give a new call its place; its responder begins to read."""
        self._places.take(call)
        self._sessions.read_ahead(call, call.terms.opening)

    def _forget(self, now: float) -> None:
        """Give up calls whose stream never came, and the oldest of those that ended."""
        for call in self._places.overdue(now):
            logger.bind(call_sid=call.call_sid).warning("The call's stream never came")
            self._records.conclude(call, None)
            self.release(call)
        self._places.forget_oldest()
