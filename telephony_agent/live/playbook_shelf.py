"""The playbooks of a server: its own, and those that single calls and campaigns are made by.

A playbook is known by its id, which is made of its text, and is kept in the store before the first call is made by it:
a campaign that goes on after a restart, and a call that is concluded after one, find it there. What is made of a
playbook for live calls (its fixed words, spoken) is made once, and remembered for the last few.

What the models were loaded for can't be different from call to call: the language, and the tools. Functions that the
server's own playbook doesn't name are refused; built-in tools that it doesn't name are not offered, and rules do their
work.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import datetime
from typing import TypeVar

from telephony_agent.errors import EngineError, PlaybookError
from telephony_agent.live.announcing import render_beside_calls
from telephony_agent.live.call import CallTerms
from telephony_agent.live.engine_room import EngineRoom
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.tools import BUILT_IN
from telephony_agent.store import Store, UnknownRecord

KEPT = 16
"""Playbooks that are remembered ready for use; one holds about half a minute of speech."""

T = TypeVar("T")


class PlaybookShelf:
    """The sales desks of a server's playbooks. Lives on the event loop."""

    def __init__(self, own: SalesDesk, store: Store) -> None:
        self.own = own
        self._store = store
        self._desks: OrderedDict[str, SalesDesk] = OrderedDict()

    async def keep_own(self, now: datetime) -> None:
        """Keep the server's own playbook; its calls name it.

        Raises:
            StoreUnavailable: the database refused.
        """
        await self._store.playbooks.keep(self.own.playbook_id, self.own.playbook_text, now)

    async def add(self, yaml_text: str, now: datetime) -> SalesDesk:
        """Take a playbook that calls are to be made by.

        Raises:
            PlaybookError: it can't be used, or not by this server; the message names the key and the fix.
            StoreUnavailable: the database refused.
        """
        playbook = Playbook.parse(yaml_text)
        self._check(playbook)
        desk = self.own.by(playbook)
        await self._store.playbooks.keep(desk.playbook_id, desk.playbook_text, now)
        return _remember(self._desks, desk.playbook_id, desk)

    async def find(self, playbook_id: str) -> SalesDesk:
        """Return the desk of a playbook that was taken before; without an id, the server's own.

        Raises:
            PlaybookError: there is none, or it can't be used any more.
            StoreUnavailable: the database refused.
        """
        if playbook_id in ("", self.own.playbook_id):
            return self.own
        if (known := self._desks.get(playbook_id)) is not None:
            return known
        try:
            playbook = Playbook.from_json(await self._store.playbooks.get(playbook_id))
        except UnknownRecord as error:
            raise PlaybookError(str(error)) from error
        self._check(playbook)
        return _remember(self._desks, playbook_id, self.own.by(playbook))

    def _check(self, playbook: Playbook) -> None:
        own = self.own.playbook
        if playbook.language != own.language:
            raise PlaybookError(
                f"language: {playbook.language!r} is not this server's, which hears and speaks {own.language!r}; "
                "start another server for it"
            )
        if unknown := [name for name in playbook.tools if name not in own.tools and name not in BUILT_IN]:
            raise PlaybookError(
                f"tools: {unknown[0]!r} is not among those of this server's own playbook, the only ones that it runs"
            )


class TermsShelf:
    """What live calls by a server's playbooks have in common, made when it is first needed. Lives on the event loop."""

    def __init__(self, room: EngineRoom, own: CallTerms, desks: PlaybookShelf, *, dials: bool) -> None:
        """``own`` are those of the server's own playbook; ``dials``: whether people are called."""
        self._room = room
        self._own = own
        self._desks = desks
        self._dials = dials
        self._terms: OrderedDict[str, CallTerms] = OrderedDict()
        self._making = asyncio.Lock()

    async def find(self, playbook_id: str) -> CallTerms:
        """Return the terms of calls by a playbook; without an id, by the server's own.

        Raises:
            PlaybookError: there is no such playbook, or it can't be used or spoken.
            StoreUnavailable: the database refused.
        """
        desk = await self._desks.find(playbook_id)
        if desk is self._desks.own:
            return self._own
        async with self._making:
            return self._terms.get(playbook_id) or _remember(self._terms, playbook_id, await self._make(desk))

    async def _make(self, desk: SalesDesk) -> CallTerms:
        try:
            said = await render_beside_calls(desk, self._room, dials=self._dials)
        except EngineError as error:
            raise PlaybookError(f"its fixed words can't be spoken: {error}") from error
        policy = Phrasebook.shipped(desk.playbook.language).protecting(desk.recording_notice)
        return CallTerms(said, policy, desk.playbook.system_prompt(), self._own.rules, desk)


def _remember(shelf: OrderedDict[str, T], playbook_id: str, made: T) -> T:
    """Put something on a shelf, and take off the oldest where there is no more room."""
    shelf[playbook_id] = made
    if len(shelf) > KEPT:
        shelf.popitem(last=False)
    return made
