"""Streams of a call after its first: how long it waits for the next one, and what it goes on with.

Theory of operation
-------------------
A call whose stream has ended is *away* while its caller may come back on another one; else it is over. Each wait has an
end, after which the call is over:

=============================  ==============================================  ==================================
why its stream ended           it waits                                        it comes back with
=============================  ==============================================  ==================================
the line broke, in mid-talk    ``RECONNECT_S``, once in a call                 ``Opening.RECONNECTED``
the caller is connected to a   ``PERSON_S``: to ring, to listen to what it     ``Opening.UNTAKEN``: the person
person                         is about, to press a key                        didn't take the call
its next stream was let in     the life of its token
=============================  ==============================================  ==================================

The call remembers everything; its session's cache is gone with the leg, and is read once more ahead of the stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from loguru import logger

from telephony_agent.core.events import EndReason, Opening
from telephony_agent.live.call import Call, CallState
from telephony_agent.live.call_sessions import CallSessions
from telephony_agent.live.places import TOKEN_LIFE_S, Places

RECONNECT_S = 30.0
"""How long a call waits for its caller when the line broke."""
PERSON_S = 90.0
"""How long it waits for word of a person who is to take it."""


class SecondStreams:
    """Sees to the calls that are away. Lives on the event loop."""

    def __init__(self, places: Places, sessions: CallSessions, end: Callable[[Call, EndReason], None]) -> None:
        """``end`` is told of a call that nobody came back to."""
        self._places = places
        self._sessions = sessions
        self._end = end

    def wait_for_person(self, call: Call) -> None:
        """Let a call wait for word of the person whom its caller is being connected to."""
        self._go_away(call, EndReason.TRANSFER, PERSON_S)

    def wait_for_line(self, call: Call) -> bool:
        """Let a call wait for its caller whose line broke; tell whether it does.

        Once in a call, in mid-talk, where there are words for it, and unless the caller wants to be left alone.
        """
        left_alone = call.guide is not None and call.guide.state.ending
        has_words = call.terms.said.reconnected is not None
        may_return = has_words and call.flow.broken_off and not left_alone and not call.reconnected
        if may_return:
            self._go_away(call, EndReason.LINE, RECONNECT_S)
        return may_return

    def open(self, call: Call) -> str:
        """Prepare a call for its next stream, whose token is returned; asked once more, it only gets a fresh one."""
        if not call.token:
            self._go_on(call)
        token = self._places.give_token(call)
        self._wait(call, TOKEN_LIFE_S)
        return token

    def _go_on(self, call: Call) -> None:
        if call.away is EndReason.LINE:
            call.opening, call.reconnected = Opening.RECONNECTED, True
        else:
            call.opening = Opening.UNTAKEN
            if call.guide is not None:
                call.guide.nobody_came()
        self._sessions.renew(call)

    def _go_away(self, call: Call, reason: EndReason, seconds: float) -> None:
        call.state = CallState.AWAY
        call.away = reason
        logger.bind(call_id=call.call_id, reason=reason.value).info("A call waits for another stream")
        self._wait(call, seconds)
        self._places.tell_capacity()

    def _wait(self, call: Call, seconds: float) -> None:
        if call.patience is not None:
            call.patience.cancel()
        call.patience = asyncio.get_running_loop().call_later(seconds, self._end, call, EndReason.LINE)
