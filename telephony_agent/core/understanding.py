"""From the transcriber's word to our answer: what the caller's words mean for the call, before and after their end.

Words that come in the trailing silence tell how long to wait for more, and a reply to them is begun ahead
(``foresight``). A turn is answered once its end is decided and its words are known, or known to be lost. What its words
lead to, the first that holds:

=====================================================  =============================================================
words                                                  what follows
=====================================================  =============================================================
of somebody whom we called and don't know yet          what ``Meeting`` makes of them
an aside of a caller who has asked us to wait          nothing: they speak to somebody else
none, and nothing before them waits for an answer      we ask again, or let a short noise pass
any others                                             a reply: the one that was begun ahead, or a new one; behind
                                                       those of a goodbye the call ends
=====================================================  =============================================================
"""

from __future__ import annotations

from telephony_agent.core.call_parts import CallParts
from telephony_agent.core.caller_turn import CallerTurn
from telephony_agent.core.conversation import Turn, TurnInput
from telephony_agent.core.ear import Ear
from telephony_agent.core.events import Action, EndReason, EngineFailed, Transcribed
from telephony_agent.core.floor import Floor
from telephony_agent.core.foresight import Foresight
from telephony_agent.core.meeting import Meeting
from telephony_agent.core.our_side import OurSide
from telephony_agent.core.overlap import Overlap


class Understanding:
    """Understands the caller on one stream."""

    def __init__(
        self,
        call: CallParts,
        floor: Floor,
        ear: Ear,
        foresight: Foresight,
        ours: OurSide,
        overlap: Overlap,
        meeting: Meeting,
    ) -> None:
        self._call = call
        self._floor = floor
        self._ear = ear
        self._foresight = foresight
        self._ours = ours
        self._overlap = overlap
        self._meeting = meeting

    def learn(self, outcome: Transcribed | EngineFailed, now: float) -> list[Action]:
        """Take the transcriber's word, for the turn that is open or for one that was overtaken."""
        caller = self._floor.caller
        if caller is not None and caller.turn.number == outcome.turn:
            caller.learn(outcome)
            actions = self._look_ahead(caller, caller.words, now) if caller.words is not None else []
            return actions + self.answer_if_known(now)
        overtaken = self._floor.left_behind(outcome.turn)
        if overtaken is None:
            return []
        overtaken.learn(outcome)
        if overtaken.words is None:
            return []
        overtaken.turn.transcript = overtaken.words
        return self._reconsider(overtaken, overtaken.words, now)

    def answer_if_known(self, now: float) -> list[Action]:
        """Answer the caller's turn if its end is decided and its words are known."""
        caller = self._floor.caller
        if caller is None or not caller.answerable:
            return []
        assert caller.decided_at is not None
        caller.turn.timings["transcribe_ms"] = round((now - caller.decided_at) * 1000)
        if caller.over is not None:
            self._overlap.go_on(caller, caller.over)
        elif caller.words is not None:
            return self.answer(caller.words, now)
        else:
            self._ours.fail(now)
        return []

    def answer(self, words: str, now: float) -> list[Action]:
        """Reply to what was understood in the turn that the floor is in, which may be nothing."""
        call, turn = self._call, self._floor.turn
        self._floor.answer()
        turn.transcript = words
        call.account(now)
        met = self._meeting.take(turn, words, now)
        if met is not None:
            return met
        if self._not_for_us(words):
            actions = call.composer.withdraw()
            call.counsel.withdraw(turn.number)
            call.fillers.rest()
            turn.input = TurnInput.ASIDE
            return actions
        if not words and not call.conversation.unanswered:
            self._ask_again(turn)
            return []
        call.reprompts.understood(hold=call.policy.asks_to_wait(words))
        if call.policy.is_goodbye(words):
            call.leave.take(EndReason.GOODBYE, now)
        turn.timings["speculated"] = int(call.composer.composing)
        if call.composer.composing:
            return call.composer.let_go(now)
        return self._foresight.reply(turn, words, now, call.calendar.date(now))

    def _look_ahead(self, caller: CallerTurn, words: str, now: float) -> list[Action]:
        """Draw from words what can be known before their end is decided."""
        call = self._call
        actions = self._overlap.judge(caller, words, now) if caller.over is not None else []
        if not caller.open or caller.over is not None or self._not_for_us(words):
            return actions
        call.account(now)
        wait_ms = call.answering.wait_ms(words, self._ear.spoken_ms)
        if wait_ms is None:
            return actions + self._foresight.consider(caller, words, now, call.calendar.date(now))
        self._ear.wait(wait_ms)
        return actions

    def _not_for_us(self, words: str) -> bool:
        """Tell whether a caller who has asked us to wait speaks to somebody else meanwhile."""
        return self._call.reprompts.holding and self._overlap.is_aside(words)

    def _ask_again(self, turn: Turn) -> None:
        """Say that nothing was understood, unless it was but a noise."""
        call, turns = self._call, self._call.conversation.turns
        call.fillers.rest()
        call.counsel.withdraw(turn.number)
        previous = turns[-2] if len(turns) > 1 else None
        if (previous and previous.interrupted) or turn.ended_ms - turn.started_ms >= call.rules.unheard_ms:
            self._ours.announce(call.say.not_understood)

    def _reconsider(self, caller: CallerTurn, words: str, now: float) -> list[Action]:
        """Stop after all for words that came too late: we had gone on, and they were an interruption."""
        if not self._overlap.was_misjudged(caller, words):
            return []
        actions = self._ours.stop(now)
        caller.turn.input = TurnInput.SPEECH
        self._floor.turn = caller.turn
        self._ours.answer_is_due(now)
        return actions + self.answer(words, now)
