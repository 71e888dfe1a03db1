"""A text call whose replies are spoken: what we say is heard when it has been delivered, not when it is worded.

That one difference changes three things. The history holds what was delivered, and an answer may be stopped. The call
ends when its last words are out (``parting`` says why it will), not when they are worded. And the line may be lost and
found again: without one the call waits for a while, then it is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from loguru import logger

from telephony_agent.core.events import EndReason
from telephony_agent.live.call_book import CallBook
from telephony_agent.live.text_call import (
    Answer,
    CallOverError,
    TextCall,
    TextCallError,
    TextTerms,
)
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import Setting


class LineTakenError(TextCallError):
    """Somebody else took the call's line over."""

    code = "line_taken"


class SpokenCall(TextCall):
    """One call by voice without a phone. Lives on the event loop."""

    def __init__(
        self,
        call_id: str,
        setting: Setting,
        guide: Guide,
        terms: TextTerms,
        *,
        reconnect_s: float,
        book: CallBook | None = None,
        ended: Callable[[TextCall], None] = lambda _: None,
    ) -> None:
        """Begin as a text call does; the greeting waits to be delivered.

        Args:
            reconnect_s: how long the call waits for a line that was lost.
        """
        self.parting: EndReason | None = None
        """Why the call ends as soon as all is delivered; None while it goes on."""
        self._reconnect_s = reconnect_s
        self._line = asyncio.Lock()
        self._holder: asyncio.Event | None = None
        """Set when whoever holds the line, or waits for it, shall go."""
        self._ended_event = asyncio.Event()
        super().__init__(call_id, setting, guide, terms, book=book, ended=ended)
        self._log = logger.bind(call_id=call_id, channel="voice")

    @property
    def ungreeted(self) -> bool:
        """Whether the greeting is still to be delivered."""
        turn = self.conversation.turns[-1]
        return turn.number == 0 and turn.reply_heard != turn.reply

    @asynccontextmanager
    async def line(self) -> AsyncIterator[asyncio.Event]:
        """Hold the call's line for the length of a ``with`` block; what is not delivered when it is left never is.

        The latest comer has it: who comes back after a network died must not wait until the old line is known to be
        dead. Yields what is set when somebody else came and the block is to be left.

        Raises:
            LineTakenError: somebody else came meanwhile.
            CallOverError: the call has ended.
        """
        if self._holder is not None:
            self._holder.set()
        gone = self._holder = asyncio.Event()
        async with self._line:
            if self.over:
                raise CallOverError("the call is over; start another one")
            if gone.is_set():
                raise LineTakenError("another line took this call over")
            self._silence.cancel()
            self._silence = self._wait()
            try:
                yield gone
            finally:
                self._lose_line()

    def delivered(self, phrase: str) -> None:
        """Note that a phrase of the present turn has reached the caller."""
        if not self.over:
            turn = self._turn
            turn.reply_heard = f"{turn.reply_heard} {phrase}".strip()
            self._write()

    def interrupt(self) -> None:
        """Stop our side of the turn: what of it isn't delivered never will be. A call that takes leave goes on."""
        if self.over or self.parting is not None:
            return
        self._turn.interrupted = True
        self._leaving = None
        if self._job is not None:
            self._job.cancel()
            self._job = None
        if self._answer is not None:
            self._rest(None)
        else:
            self._write()

    def mishear(self, error: Exception | None = None) -> Answer:
        """Answer an utterance of which no words are known: ask for it again, or apologise for the engine that failed.

        Raises:
            TurnInProgressError: the turn before is still being answered.
            CallOverError: the call has ended.
        """
        answer = self._open("")
        turn = self._turn
        if error is not None:
            self._guarded(lambda: self._fail(error))
        elif turn.number >= self._terms.max_turns:
            self._guarded(lambda: self._leave(EndReason.TIME_LIMIT, self._playbook.goodbye))
        else:
            self._guarded(self._ask_again)
        return answer

    async def wait_ended(self) -> None:
        """Wait until the call is over, whoever ends it."""
        await self._ended_event.wait()

    def end(self, reason: EndReason) -> None:
        """End the call, as a text call."""
        super().end(reason)
        self._ended_event.set()

    def _ask_again(self) -> None:
        self._recite(self._playbook.not_understood)
        self._rest(None)

    def _say(self, phrase: str) -> None:
        heard = self._turn.reply_heard
        super()._say(phrase)
        self._turn.reply_heard = heard

    def _rest(self, reason: EndReason | None) -> None:
        """Be done with wording the turn; what ends the call waits until all is delivered."""
        if reason is None:
            super()._rest(None)
        else:
            self.parting = reason
            self._write()
            self._complete()

    def _lose_line(self) -> None:
        if self.over:
            return
        if self.parting is not None:
            self.end(self.parting)
            return
        if self._answer is not None or self._turn.reply_heard != self._turn.reply:
            self.interrupt()
        self._silence.cancel()
        self._silence = self._loop.call_later(self._reconnect_s, self.end, EndReason.LINE)
