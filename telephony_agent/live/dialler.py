"""Calls somebody: asks the law, holds a place, counts the attempt, rings, and sees to it that the call gets its end.

Theory of operation
-------------------
``dial`` goes through five gates, in this order, and says which of them was shut. (A playbook of the call's own is made
ready before the first.)

==============  ====================================================================================================
gate            what it asks
==============  ====================================================================================================
the law         ``sales.compliance.may_dial``: hours, consent, country, premium numbers, do-not-call, attempts
a place         the switchboard: whoever answers must find somebody to talk to
the attempt     ``store.dialling.reserve_dial``: all that two processes could do at once, in one transaction
the carrier     ``Carrier.create``, which never dials twice
the webhooks    status, voice and verdict: their URLs carry our own id of the call, so they may come in any order
==============  ====================================================================================================

From the third gate on the call exists and gets exactly one outcome: from the carrier's last word on it, or from the
talk. Who hears nothing asks: when the ringing should long be over, the carrier is asked how the call is. Where placing
a call got no clear answer it may be ringing all the same; it keeps its place until then, and is never dialled again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from loguru import logger

from telephony_agent.carrier.carrier import Carrier, Dial, MachineDetection, PlacedCall
from telephony_agent.errors import CarrierError, CarrierRejected, CarrierUnreachable, PlaybookError
from telephony_agent.live.call import Call, CallState, CallTerms
from telephony_agent.live.playbook_shelf import TermsShelf
from telephony_agent.live.sales_desk import zone_of
from telephony_agent.live.switchboard import Switchboard
from telephony_agent.sales.campaign import NO_PLACE, PLAYBOOK
from telephony_agent.sales.compliance import DialPolicy, may_dial
from telephony_agent.sales.disposition import LineResult
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.outcome import Outcome
from telephony_agent.store import NewCall, NumberError, Store, StoreUnavailable
from telephony_agent.store.dialling import local_day

ASKED_TIMES = 3
"""After so many questions without a final answer the call is hung up, and given up."""
PLACING_WITHIN_S = 20.0
"""When the server stops, calls that are just being placed may take so long to be known, and be hung up."""
HANGING_UP_WITHIN_S = 10.0

T = TypeVar("T")

_UNANSWERED = (CallState.DIALLED, CallState.EXPECTED)
_RESERVATIONS = {
    "do_not_call": "the number is on the do-not-call list",
    "attempts": "as many calls were made to them today as are allowed (AGENT_ATTEMPTS_PER_DAY)",
    "unknown_zone": "give the lead its zone, such as America/New_York",
    "unknown_lead": "there is no such lead (any more)",
    "not_the_leads_number": "only the lead's own number is dialled",
    "already_dialled": "this call was dialled before",
    "on_the_line": "they are being rung or talked to already",
    "daily_cap": "as many calls were made in 24 hours as are allowed in all (AGENT_DAILY_CAP)",
}


@dataclass(frozen=True, slots=True)
class DialTerms:
    """What all calls of a server's are placed with.

    Attributes:
        policy: whom the owner allows to call, and when.
        caller_id: the number that the called party sees, E.164.
        daily_cap: the most calls in 24 hours, to all numbers.
        ring_timeout_s: how long it rings.
        time_limit_s: after which the carrier ends a call, whatever happens.
        detection: whether the carrier listens for a machine.
        listens: whether we do.
        patience_s: how long after the last ring the carrier is asked, if it has said nothing itself.
    """

    policy: DialPolicy
    caller_id: str = field(repr=False)
    daily_cap: int = 200
    ring_timeout_s: int = 30
    time_limit_s: int = 1860
    detection: MachineDetection = MachineDetection.END
    listens: bool = True
    patience_s: float = 20.0


@dataclass(frozen=True, slots=True)
class DialAnswer:
    """Whether a call rings now.

    Attributes:
        call_id: of the call that exists since; empty if there is none. One that the carrier refused has an id, and its
            outcome already.
        reason: why it doesn't ring, in one stable word; empty if it does.
        detail: the same as a sentence for a person.
    """

    call_id: str = ""
    reason: str = ""
    detail: str = ""

    @property
    def placed(self) -> bool:
        """Whether the carrier has the call."""
        return not self.reason


def new_call_id() -> str:
    """Return the id of a call that is yet to be dialled: nobody else's, and nothing that can be guessed."""
    return f"out-{secrets.token_hex(16)}"


class Dialler:
    """Places the calls of one server. Lives on the event loop; ``close`` it before the store."""

    def __init__(
        self,
        carrier: Carrier,
        store: Store,
        switchboard: Switchboard,
        terms: DialTerms,
        url: Callable[[str], str],
        *,
        playbooks: TermsShelf | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take what it needs.

        Args:
            carrier: rings.
            store: knows do-not-call and the attempts.
            switchboard: talks to whoever answers; it must have a sales desk.
            terms: how calls are placed.
            url: the public URL of a path.
            playbooks: the playbooks that calls may be made by; without them, by the switchboard's only.
            clock: the time in UTC.
        """
        self._carrier = carrier
        self._store = store
        self._switchboard = switchboard
        self._terms = terms
        self._url = url
        self._playbooks = playbooks
        self.clock = clock
        self._tasks: set[asyncio.Task[Any]] = set()
        self._dials: set[asyncio.Task[DialAnswer]] = set()
        self._closed = False

    async def dial(
        self, lead: Lead, lead_id: int | None = None, *, call_id: str = "", playbook_id: str = ""
    ) -> DialAnswer:
        """Ring a lead, if that is allowed and somebody could talk to them now.

        ``lead_id`` is the store's, where the lead is stored. ``call_id`` is for whoever must know it before the call
        exists (``new_call_id``). ``playbook_id`` is of a playbook on the shelf, by which the call is made. A "no" is an
        answer, never an exception. The call's outcome comes by ``finished``.
        """
        # A caller who goes away must not leave a call half placed.
        task = self._begin(self._dial(lead, lead_id, call_id or new_call_id(), playbook_id))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)
        return await asyncio.shield(task)

    async def finished(self, call_id: str) -> Outcome:
        """Wait for the end of a call that was dialled lately, and return what came of it.

        Raises:
            LookupError: no such call, or it ended too long ago.
        """
        call = self._switchboard.find(call_id)
        if call is None:
            raise LookupError(f"no call {call_id} is remembered")
        await call.over.wait()
        assert call.outcome is not None, "a call that was dialled has a guide, so it has an outcome"
        return call.outcome

    async def give_up(self, number: str) -> None:
        """Hang up on a number, in E.164 form, that rings now: it must not be called any more."""
        for call in self._switchboard.ringing():
            if call.to_number == number and call.call_sid:
                logger.bind(call_id=call.call_id).info("A call that rings is given up")
                self._begin(self._hang_up(call.call_sid))

    async def close(self) -> None:
        """Dial no more; hang up what rings."""
        self._closed = True
        if self._dials:
            # What the carrier is being asked for may ring in a moment, and has no name yet by which to hang it up.
            await asyncio.wait(self._dials, timeout=PLACING_WITHIN_S)
        sids = [call.call_sid for call in self._switchboard.ringing() if call.call_sid]
        with suppress(TimeoutError):
            async with asyncio.timeout(HANGING_UP_WITHIN_S):
                await asyncio.gather(*map(self._hang_up, sids))
        # Who has answered meanwhile is talked to.
        for call in self._switchboard.ringing():
            self._switchboard.conclude(call, LineResult.FAILED)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------------ the gates

    async def _dial(self, lead: Lead, lead_id: int | None, call_id: str, playbook_id: str) -> DialAnswer:
        zone = lead.zone or zone_of(lead.phone)
        try:
            # First, since its words may have to be spoken; what the law says would be out of date after that.
            terms = await self._playbooks.find(playbook_id) if self._playbooks is not None else None
            now = self.clock()
            refused = await self._ask_law(lead, lead_id, zone, now)
            if refused is not None:
                return refused
            leaves_message = not await self._has_message(lead, lead_id, zone, now)
            call = self._hold(call_id, lead, lead_id, terms, leaves_message=leaves_message)
            if call is None:
                return DialAnswer(reason=NO_PLACE, detail="all places are taken; try again when a call has ended")
            exists = False
            try:
                refused = await self._reserve(call, zone, now)
                exists = refused is None
            finally:
                # Also when the database is gone: a place must not be held for a call that is none.
                if not exists:
                    self._switchboard.release(call)
        except PlaybookError as error:
            return DialAnswer(reason=PLAYBOOK, detail=f"playbook: {error}")
        except (NumberError, StoreUnavailable) as error:
            return DialAnswer(reason="store", detail=str(error))
        return refused or await self._place(call)

    async def _ask_law(self, lead: Lead, lead_id: int | None, zone: str, now: datetime) -> DialAnswer | None:
        store, policy = self._store, self._terms.policy
        if not lead.phone:
            return DialAnswer(reason="not_a_number", detail="phone: is empty; write it like +15005550006")
        listed = await store.do_not_call.contains(lead.phone)
        day = local_day(now, zone)
        made = await store.dialling.attempts_on(day, lead.phone, lead_id) if day else 0
        decision = may_dial(lead, lead.phone, now, policy, made, {lead.phone} if listed else ())
        return None if decision.allowed else DialAnswer(reason=decision.reason.value, detail=decision.detail)

    async def _has_message(self, lead: Lead, lead_id: int | None, zone: str, now: datetime) -> bool:
        """Tell whether a mailbox got a message for them today."""
        day = local_day(now, zone)
        return day is None or await self._store.dialling.voicemails_on(day, lead.phone, lead_id) > 0

    def _hold(
        self, call_id: str, lead: Lead, lead_id: int | None, terms: CallTerms | None, *, leaves_message: bool
    ) -> Call | None:
        if self._closed or not self._switchboard.ready:
            return None
        return self._switchboard.hold(
            call_id,
            lead,
            lead_id,
            terms,
            our_number=self._terms.caller_id,
            leaves_message=leaves_message,
            listens=self._terms.listens,
        )

    async def _reserve(self, call: Call, zone: str, now: datetime) -> DialAnswer | None:
        new = NewCall(
            call_id=call.call_id,
            direction="outbound",
            started_at=now,
            number=call.to_number,
            our_number=call.from_number,
            lead_id=call.lead_id,
            playbook_id=call.playbook_id,
        )
        reservation = await self._store.dialling.reserve_dial(
            new,
            zone=zone,
            max_attempts=self._terms.policy.attempts_per_day,
            max_dials=self._terms.daily_cap,
        )
        if reservation.refusal is not None:
            return DialAnswer(reason=reservation.refusal, detail=_RESERVATIONS[reservation.refusal])
        self._switchboard.begin(call, new)
        return None

    async def _place(self, call: Call) -> DialAnswer:
        if self._closed:
            self._switchboard.conclude(call, LineResult.FAILED)
            return DialAnswer(call.call_id, NO_PLACE, "the server is about to stop")
        log = logger.bind(call_id=call.call_id)
        try:
            placed = await self._carrier.create(self._order(call))
        except (CarrierRejected, CarrierUnreachable) as error:
            log.bind(error=str(error)).warning("A call could not be placed")
            if isinstance(error, CarrierRejected) or not error.unclear:
                self._switchboard.conclude(call, LineResult.FAILED)
                return DialAnswer(call.call_id, error.code, str(error))
        else:
            self._switchboard.name(call, placed.sid)
            log.bind(call_sid=placed.sid).info("A call was placed")
        self._begin(self._see_to_end(call))
        return DialAnswer(call.call_id)

    def _order(self, call: Call) -> Dial:
        terms = self._terms
        return Dial(
            call_id=call.call_id,
            to_number=call.to_number,
            from_number=call.from_number,
            voice_url=self._url(f"/twilio/voice?call={call.call_id}"),
            status_url=self._url(f"/twilio/status?call={call.call_id}"),
            detection=terms.detection,
            detection_url=self._url(f"/twilio/amd?call={call.call_id}") if terms.detection else "",
            ring_timeout_s=terms.ring_timeout_s,
            time_limit_s=terms.time_limit_s,
        )

    # ------------------------------------------------------------------ the end

    async def _hang_up(self, call_sid: str) -> None:
        with suppress(CarrierError):
            await self._carrier.hang_up(call_sid)

    async def _see_to_end(self, call: Call) -> None:
        """Ask the carrier how a call is of which nothing is heard, until it is over."""
        asked = 0
        while not call.over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._terms.ring_timeout_s + self._terms.patience_s):
                    await call.over.wait()
            if call.state in _UNANSWERED:
                asked += 1
                await self._ask_carrier(call, last=asked >= ASKED_TIMES)

    async def _ask_carrier(self, call: Call, *, last: bool) -> None:
        placed: PlacedCall | None = None
        if call.call_sid:
            with suppress(CarrierError):
                placed = await (self._carrier.hang_up if last else self._carrier.fetch)(call.call_sid)
        logger.bind(call_id=call.call_id, status=placed.status if placed else "").warning("A call had to be asked for")
        if placed is not None and placed.is_over:
            self._switchboard.note_status(call.call_id, placed.status)
        if call.state in _UNANSWERED and (last or not call.call_sid):
            self._switchboard.conclude(call, LineResult.FAILED)

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name="dialler")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
