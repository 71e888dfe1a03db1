"""The stage of the calls by text: a desk, a model with a script, and what to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from loguru import logger

from telephony_agent.engines.scripted import ScriptedResponder, ScriptedSession, Step
from telephony_agent.live.lanes import Lane
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.text_call import TextCall, TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.sales.disposition import Disposition
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.phrasebook import Phrasebook
from tests.loopback.agent import PLAYBOOK

if TYPE_CHECKING:
    from loguru import Message

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
ANNA = Lead(name="Anna Miller", phone="+12125550199")
PATIENCE_S = 20.0
Scenario = Callable[[TextDesk], Awaitable[None]]


class WatchedSession(ScriptedSession):
    """A scripted session that can be waited for."""

    def __init__(self, responder: ScriptedResponder) -> None:
        super().__init__(responder)
        self._gone = threading.Event()

    def close(self) -> None:
        super().close()
        self._gone.set()

    async def is_closed(self) -> None:
        """Wait until it is closed; what its lane handed out before has been delivered then."""
        assert await asyncio.to_thread(self._gone.wait, PATIENCE_S)


class WatchedResponder(ScriptedResponder):
    """A scripted responder that keeps the sessions it opened."""

    def __init__(self, script: Iterable[Step] = ()) -> None:
        super().__init__(script)
        self.sessions: list[WatchedSession] = []

    def session(self) -> WatchedSession:
        self.sessions.append(WatchedSession(self))
        return self.sessions[-1]


def with_desk(
    scenario: Scenario,
    replies: Iterable[Step] = (),
    *,
    responder: ScriptedResponder | None = None,
    max_live: int = 3,
    kept_calls: int = 2,
    can_transfer: bool = False,
    **terms: Any,
) -> None:
    """Play a scenario in which the model says these replies."""
    lane = Lane("respond")
    responder = responder or ScriptedResponder(replies, otherwise="I see. What else would you like to know?")

    async def run() -> None:
        shared = TextTerms(
            **{
                "responder": responder,
                "lane": lane,
                "deadline_s": PATIENCE_S,
                "policy": Phrasebook.shipped(),
                "clock": lambda: NOW,
                **terms,
            }
        )
        desk = TextDesk(
            SalesDesk(PLAYBOOK, can_transfer=can_transfer), shared, max_live=max_live, kept_calls=kept_calls
        )
        async with asyncio.timeout(PATIENCE_S):
            await scenario(desk)
        desk.close()

    try:
        asyncio.run(run())
    finally:
        lane.close()
        lane.join(1.0)


async def is_over(call: TextCall) -> None:
    """Wait until a call has ended, which its log tells."""
    ended = asyncio.Event()

    def logged(message: Message) -> None:
        if call.over and message.record["extra"].get("call_id") == call.call_id:
            ended.set()

    sink = logger.add(logged, level="INFO")
    if not call.over:
        await ended.wait()
    logger.remove(sink)


async def says(call: TextCall, words: str) -> str:
    return await call.take(words).text()


def disposition(call: TextCall) -> Disposition:
    assert call.outcome is not None, "the call is not over"
    return call.outcome.disposition
