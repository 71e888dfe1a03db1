"""The responder's sessions of calls: what they read ahead while nobody speaks, and their end where no leg sees to it.

The lane of the responder is the only user of a session, so all that is done with one is done there.
"""

from __future__ import annotations

from collections.abc import Sequence

from loguru import logger

from telephony_agent.engines.base import Message
from telephony_agent.live.call import Call
from telephony_agent.live.engine_room import EngineRoom
from telephony_agent.live.lanes import Job
from telephony_agent.live.places import TOKEN_LIFE_S

CLOSE_WITHIN_S = 60.0


class CallSessions:
    """Sees to the sessions of all calls."""

    def __init__(self, room: EngineRoom) -> None:
        self._room = room

    def read_ahead(self, call: Call, messages: Sequence[Message]) -> None:
        """Let the responder read what it can know before the caller says a word."""
        session = call.session

        def work(job: Job) -> None:
            session.prefill(messages, job.cancelled)

        def ended(error: Exception | None) -> None:
            if error is not None:
                logger.bind(call_sid=call.call_sid, error=str(error)).warning("The prompt could not be read ahead")

        self._room.responding.submit(work, deadline_s=TOKEN_LIFE_S, on_item=lambda _: None, on_end=ended)

    def renew(self, call: Call) -> None:
        """Begin another session for a call that goes on: its leg took the first one's cache with it."""
        call.session = self._room.engines.responder.session()
        self.read_ahead(call, [Message(**message) for message in call.flow.conversation.messages()])

    def close(self, call: Call) -> None:
        """Drop the cache of a call that never got a leg."""
        session = call.session
        self._room.responding.submit(
            lambda _: session.close(), deadline_s=CLOSE_WITHIN_S, on_item=lambda _: None, on_end=lambda _: None
        )
