"""Speech of the caller's over our own: an aside, behind which we go on from that word, or an interruption.

Theory of operation
-------------------
At its beginning we only *pause*: nothing more is heard of us, but what was not heard is kept. What it was is then
decided by whichever comes first:

==============================================================  ==================================================
what comes                                                      what it was
==============================================================  ==================================================
it lasts longer than ``aside_up_to_ms``, over words of ours     an interruption: our reply is withdrawn, its rest
that a mere noise may stop                                      is never said, the turn is the caller's
words that want the floor                                       the same
words that don't, or none; and ``aside_wait_ms`` of silence     an aside: its words are kept, we go on
silence, and no words within ``aside_unknown_s``                taken for an aside; if they come later and want
                                                                the floor, we stop once more and answer them
==============================================================  ==================================================
"""

from __future__ import annotations

from telephony_agent.core.call_parts import CallParts
from telephony_agent.core.caller_turn import CallerTurn
from telephony_agent.core.conversation import Turn, TurnInput
from telephony_agent.core.ear import Ear
from telephony_agent.core.events import Action
from telephony_agent.core.floor import Floor
from telephony_agent.core.frame_clock import Frame


class Overlap:
    """Speech over our own on one stream."""

    def __init__(self, call: CallParts, floor: Floor, ear: Ear) -> None:
        self._call = call
        self._floor = floor
        self._ear = ear

    @property
    def deadline(self) -> float | None:
        """When we go on though the words over ours are still unknown."""
        since = self._floor.undecided_since()
        return None if since is None else since + self._call.rules.aside_unknown_s

    def begin(self, now: float) -> list[Action]:
        """Let the caller begin a turn over ours: pause, but don't give up what we were saying yet."""
        call, over = self._call, self._floor.turn
        protected = call.policy.is_protected(call.voice.saying(now))
        call.fillers.rest()
        actions = call.voice.pause(now)
        call.account(now)
        self._floor.take(self._ear.started_ms, over=over, protected=protected)
        return actions

    def is_aside(self, words: str) -> bool:
        """Tell whether words over ours don't want the floor."""
        return not words or self._call.policy.is_aside(words)

    def weigh(self, frame: Frame, now: float) -> list[Action]:
        """Give up what we were saying when speech over it has lasted too long for an aside."""
        caller = self._floor.speaking
        if caller is None or caller.over is None or caller.protected:
            return []
        too_long = frame.timestamp_ms - caller.turn.started_ms > self._call.rules.aside_up_to_ms
        return self._yield_floor(caller, now) if too_long else []

    def judge(self, caller: CallerTurn, words: str, now: float) -> list[Action]:
        """Decide from its words what speech over ours is."""
        if not self.is_aside(words):
            return self._yield_floor(caller, now)
        self._ear.wait(self._call.rules.aside_wait_ms)
        return []

    def go_on(self, caller: CallerTurn, over: Turn) -> None:
        """Take speech over ours for an aside: keep its words, and go on from the word where we stopped."""
        self._floor.set_aside(caller, over)
        self._call.fillers.rest()
        self._call.reprompts.interrupted()
        self._call.voice.resume()

    def stop_wondering(self, now: float) -> None:
        """Go on with what we were saying when the words over it take too long to come."""
        until, caller = self.deadline, self._floor.caller
        if until is not None and now >= until and caller is not None and caller.over is not None:
            self._floor.leave_behind(caller)
            self.go_on(caller, caller.over)

    def was_misjudged(self, caller: CallerTurn, words: str) -> bool:
        """Tell whether words that came too late were an interruption, and we have only gone on since."""
        newest = caller.turn is self._call.conversation.turns[-1] and self._floor.caller is None
        return newest and caller.turn.input is TurnInput.ASIDE and not self.is_aside(words)

    def _yield_floor(self, caller: CallerTurn, now: float) -> list[Action]:
        """Take speech over ours for an interruption: the reply is withdrawn, its rest is never said."""
        caller.over = None
        actions = self._call.composer.withdraw()
        actions += self._call.voice.stop(self._call.conversation.turns, now)
        self._call.leave.take_back()
        return actions
