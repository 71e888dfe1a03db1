"""Our side of a call beside the composed replies: fixed words, fillers, apologies, last words, and falling silent.

An engine that fails is apologised for. After ``max_failures`` in a row, whichever they are, the call takes leave: who
has heard so many apologies doesn't want another.
"""

from __future__ import annotations

from telephony_agent.core.call_parts import CallParts
from telephony_agent.core.call_terms import Announcement
from telephony_agent.core.counsel import Then
from telephony_agent.core.events import Action, EndReason
from telephony_agent.core.floor import Floor


class OurSide:
    """Our side of one stream. Fixed words belong to the turn that the floor is in."""

    def __init__(self, call: CallParts, floor: Floor) -> None:
        self._call = call
        self._floor = floor
        self._failures = 0

    def answer_is_due(self, now: float) -> None:
        """Note that it is our turn: from here on every millisecond is ours, and too many of them are filled."""
        self._call.composer.decided_at = now
        self._call.fillers.watch(now)

    def announce(self, announcement: Announcement) -> None:
        """Answer with fixed words."""
        self._call.fillers.rest()
        self._say(announcement)

    def fill(self, now: float) -> None:
        """Say that we are still there, if our answer has been late for too long."""
        call = self._call
        if call.composer.composing and self._floor.caller is None:
            call.fillers.watch_gap(now, silent=not call.voice.audible(now))
        if (filler := call.fillers.take(now)) is not None:
            self._say(filler)

    def stop(self, now: float) -> list[Action]:
        """Cancel the reply and clear what is still to be heard."""
        self._floor.overtake()
        actions = self._call.composer.withdraw()
        self._call.fillers.rest()
        return actions + self._call.voice.stop(self._call.conversation.turns, now)

    def take_leave(self, reason: EndReason, words: Announcement, now: float) -> None:
        """End the call for this reason, once these words are heard."""
        self._floor.answer()
        self._call.leave.take(reason, now)
        self.announce(words)

    def fail(self, now: float) -> None:
        """Apologise for an engine and go on; after ``max_failures`` in a row, take leave."""
        self._floor.answer()
        self._failures += 1
        if self._failures >= self._call.rules.max_failures:
            self.take_leave(EndReason.FAULT, self._call.say.fault_goodbye, now)
        else:
            self.announce(self._call.say.time_up if self._call.leave.taking else self._call.say.apology)

    def conclude(self, now: float) -> None:
        """Draw the consequences of what became of a reply."""
        call = self._call
        result, call.composer.result = call.composer.result, None
        if result is None:
            return
        if result.failed:
            self.fail(now)
            return
        self._failures = self._failures + 1 if result.lost_phrase else 0
        if self._failures >= call.rules.max_failures:
            self.take_leave(EndReason.FAULT, call.say.fault_goodbye, now)
        elif result.then is Then.TRANSFER and call.say.transfer is not None:
            call.leave.take(EndReason.TRANSFER, now)
        elif result.end_call or result.then is not Then.GO_ON:
            call.leave.take(call.leave.reason or EndReason.AGENT, now)

    def _say(self, announcement: Announcement) -> None:
        call, turn = self._call, self._floor.turn
        call.reprompts.interrupted()
        call.voice.say(turn, announcement.text, announcement.audio)
        call.composer.announced(turn, announcement.text)
