"""What is done before it is certain that the caller is done: how long to wait, and a reply begun ahead.

A reply to the words up to now is begun in the trailing silence, at once, and held. That is wasted when the caller goes
on, so it is limited: in attempts a turn, to words that look complete, to turns of a length that people answer, and to
moments in which nothing else waits for the engines.
"""

from __future__ import annotations

from datetime import datetime

from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.caller_turn import CallerTurn
from telephony_agent.core.completeness import Expectation, expectation_of
from telephony_agent.core.composer import Composer
from telephony_agent.core.conversation import Conversation, Turn
from telephony_agent.core.counsel import Counsel, Then
from telephony_agent.core.ear import Ear
from telephony_agent.core.events import Action, EndJudged


class Foresight:
    """One call's foresight."""

    def __init__(
        self, rules: CallRules, conversation: Conversation, composer: Composer, ear: Ear, counsel: Counsel
    ) -> None:
        self._rules = rules
        self._counsel = counsel
        self._conversation = conversation
        self._composer = composer
        self._ear = ear
        self.engines_busy = False
        """Whether work waits for an engine: then nothing is begun ahead."""

    def consider(self, caller: CallerTurn, words: str, now: float, at: datetime) -> list[Action]:
        """Decide from the words how long to wait for more, and begin the reply to them meanwhile.

        ``at`` is ``now`` by the calendar.
        """
        wait_ms = self._rules.judge.wait_ms(words, self.expects())
        self._ear.wait(wait_ms)
        asks_model = self._rules.judge.asks_model
        worth_it = words and (asks_model or wait_ms <= self._rules.speculate_within_ms)
        if not worth_it or not self._affordable(caller):
            return []
        caller.speculations += 1
        caller.turn.transcript = words
        return self.reply(caller.turn, words, now, at, held=True, judge_end=asks_model)

    def reply(
        self, turn: Turn, words: str, now: float, at: datetime, *, held: bool = False, judge_end: bool = False
    ) -> list[Action]:
        """Begin the reply to a turn's words: what the counsel says, or what the model makes of them."""
        advice = self._counsel.take(turn.number, words, self._conversation.heard_before(turn.number), at)
        if advice.say:
            return self._composer.recite(turn, advice.say, Then(advice.then), now, held=held)
        return self._composer.begin(turn, now, held=held, judge_end=judge_end, note=advice.note)

    def judged(self, event: EndJudged, caller: CallerTurn | None) -> None:
        """Take the model's word on whether the caller is done."""
        if caller is not None and caller.open and caller.words and self._composer.draft == event.draft:
            self._ear.wait(self._rules.judge.wait_ms(caller.words, self.expects(), event.probability))

    def expects(self) -> Expectation:
        """Tell what our last words asked for."""
        return expectation_of(next((turn.reply for turn in reversed(self._conversation.turns) if turn.reply), ""))

    def _affordable(self, caller: CallerTurn) -> bool:
        if self.engines_busy or self._composer.composing or caller.speculations >= self._rules.speculations:
            return False
        return self._ear.spoken_ms <= self._rules.speculate_up_to_ms
