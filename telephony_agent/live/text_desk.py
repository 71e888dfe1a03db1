"""Keeps the calls of a server that come without a phone, typed or spoken: a bounded number that is live, and the last
ones that ended."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace

from telephony_agent.core.events import EndReason
from telephony_agent.live.call_book import CallBook
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.spoken_call import SpokenCall
from telephony_agent.live.text_call import TextCall, TextCallError, TextTerms
from telephony_agent.live.voice_chat import VoiceTerms
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import Setting
from telephony_agent.sales.lead import Lead
from telephony_agent.store import NewCall, Recorder
from telephony_agent.store.records import Channel

MAX_LIVE = 20
"""Each live call holds a cache of the responder's."""
KEPT_CALLS = 500
WRITTEN_WITHIN_S = 2.0
"""A database that takes longer holds up nobody."""


class NoPlaceError(TextCallError):
    """There is no place for another text call."""

    code = "no_place"


class NoVoiceError(TextCallError):
    """Calls by voice are not served here."""

    code = "no_voice"


class TextDesk:
    """All calls of a server without a phone. Lives on the event loop."""

    def __init__(
        self,
        desk: SalesDesk,
        terms: TextTerms,
        *,
        recorder: Recorder | None = None,
        voice: VoiceTerms | None = None,
        max_live: int = MAX_LIVE,
        kept_calls: int = KEPT_CALLS,
    ) -> None:
        """Take what the calls share.

        Without ``recorder`` they aren't written down, without ``voice`` they are by text only.
        """
        self.voice = voice
        self._desk = desk
        self._terms = terms
        self._recorder = recorder
        self._max_live = max_live
        self._kept_calls = kept_calls
        self._closed = False
        self._live: dict[str, TextCall] = {}
        self._over: OrderedDict[str, TextCall] = OrderedDict()

    def start(self, lead: Lead, desk: SalesDesk | None = None) -> TextCall:
        """Begin a call by text with somebody, by the server's own playbook or by that of ``desk``.

        Raises:
            NoPlaceError: as many are live as may be, or the server goes down.
        """
        self._check_place()
        desk = desk or self._desk
        setting = self._setting(lead, desk)
        guide = desk.guide(setting)
        call_id = f"T{secrets.token_hex(16)}"
        book = self._book(call_id, "text", lead, guide, desk)
        call = TextCall(call_id, setting, guide, self._terms, book=book, ended=self._keep)
        self._live[call_id] = call
        return call

    def start_spoken(self, lead: Lead, desk: SalesDesk | None = None) -> SpokenCall:
        """Begin a call by voice with somebody, by the server's own playbook or by that of ``desk``.

        Its line is to be opened next.

        Raises:
            NoPlaceError: as many are live as may be, or the server goes down.
            NoVoiceError: there is no voice.
        """
        if self.voice is None:
            raise NoVoiceError("channel: calls by voice are not served here; use 'text'")
        self._check_place()
        desk = desk or self._desk
        setting = self._setting(lead, desk)
        guide = desk.guide(setting)
        call_id = f"V{secrets.token_hex(16)}"
        call = SpokenCall(
            call_id,
            setting,
            guide,
            replace(self._terms, idle_s=self.voice.idle_s),
            reconnect_s=self.voice.reconnect_s,
            book=self._book(call_id, "voice", lead, guide, desk),
            ended=self._keep,
        )
        self._live[call_id] = call
        return call

    def find(self, call_id: str) -> TextCall | None:
        """Return a call that is live or lately ended."""
        return self._live.get(call_id) or self._over.get(call_id)

    async def written(self) -> None:
        """Wait until all that was said so far is on the disk, ``WRITTEN_WITHIN_S`` at most."""
        if self._recorder is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITTEN_WITHIN_S):
                    await self._recorder.flush()

    def close(self) -> None:
        """End all calls and begin no more: the server goes down."""
        self._closed = True
        for call in list(self._live.values()):
            call.end(EndReason.SHUTDOWN)

    def _check_place(self) -> None:
        if self._closed:
            raise NoPlaceError("the server is going down")
        if len(self._live) >= self._max_live:
            raise NoPlaceError(f"{self._max_live} text calls are live already; end one, or try again later")

    @staticmethod
    def _setting(lead: Lead, desk: SalesDesk) -> Setting:
        setting = desk.setting(lead.phone)
        # Without a phone nobody can be connected to a person: they are offered a call instead.
        return replace(setting, lead=lead, zone=lead.zone or setting.zone, can_transfer=False)

    def _book(self, call_id: str, channel: Channel, lead: Lead, guide: Guide, desk: SalesDesk) -> CallBook | None:
        if self._recorder is None:
            return None
        new = NewCall(
            call_id=call_id,
            direction="inbound",
            started_at=self._terms.clock(),
            channel=channel,
            number=lead.phone,
            playbook_id=desk.playbook_id,
        )
        book = CallBook(self._recorder.call(call_id), new, guide)
        book.answered()
        return book

    def _keep(self, call: TextCall) -> None:
        """Remember a call that ended, and forget the oldest."""
        del self._live[call.call_id]
        self._over[call.call_id] = call
        while len(self._over) > self._kept_calls:
            self._over.popitem(last=False)
