"""Asks the carrier what became of the calls that a server which died had placed, so that nobody has to guess."""

from __future__ import annotations

from datetime import timedelta

from loguru import logger

from telephony_agent.carrier.carrier import Carrier, PlacedCall
from telephony_agent.errors import CarrierError, CarrierUnreachable, PlaybookError
from telephony_agent.live.line_results import UNANSWERED
from telephony_agent.live.playbook_shelf import PlaybookShelf
from telephony_agent.live.retelling import retold
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.sales.disposition import LineResult
from telephony_agent.store import CallRecord, Outcome, Transcript

CLOCK_SLACK = timedelta(seconds=5)


class LastWords:
    """Retells calls that were cut short, with the carrier's word on those that we placed; for ``Store.recover``."""

    def __init__(self, desks: PlaybookShelf, carrier: Carrier | None) -> None:
        """Without a carrier nobody is asked."""
        self._desks = desks
        self._carrier = carrier

    async def retell(self, told: Transcript) -> Outcome | None:
        """Return what came of a call; None if that can't be made out.

        One that still rings or lasts is hung up: whoever is on the line has nobody to talk to.
        """
        call = told.call
        asked = call.call.direction == "outbound" and call.answered_at is None
        desk = await self._desk_of(call)
        return retold(told, desk, await self._line_result(call) if asked else None)

    async def _desk_of(self, record: CallRecord) -> SalesDesk:
        """Return the desk of the playbook that a call was made by, or of ours where that one is gone."""
        call = record.call
        try:
            return await self._desks.find(call.playbook_id)
        except PlaybookError as error:
            logger.bind(call_id=call.call_id, error=str(error)).warning("A call is concluded by another playbook")
            return self._desks.own

    async def _line_result(self, record: CallRecord) -> LineResult | None:
        if self._carrier is None:
            return None
        try:
            placed = await self._found(self._carrier, record)
            if placed is not None and not placed.is_over:
                await self._carrier.hang_up(placed.sid)
        except CarrierError as error:
            logger.bind(call_id=record.call.call_id, error=str(error)).warning("The carrier can't tell of a call")
            if isinstance(error, CarrierUnreachable):
                # It would be the same with all others, and the calls to come are waiting.
                self._carrier = None
            return None
        if placed is None:
            return None
        # Who is on the line now found nobody to talk to; what rings is given up.
        going_on = LineResult.ABANDONED if placed.status == "in-progress" else LineResult.NO_ANSWER
        return UNANSWERED.get(placed.status, going_on)

    async def _found(self, carrier: Carrier, record: CallRecord) -> PlacedCall | None:
        """Find a call by the carrier's name for it, or where we died before we knew that, by numbers and time."""
        call = record.call
        if call.call_sid:
            return await carrier.fetch(call.call_sid)
        found = await carrier.find(
            to_number=call.number, from_number=call.our_number, since=call.started_at - CLOCK_SLACK
        )
        ours = [placed for placed in found if placed.direction == "outbound-api"]
        return ours[0] if len(ours) == 1 else None
