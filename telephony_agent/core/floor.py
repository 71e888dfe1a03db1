"""Whose turn it is: the caller's turn while it is his, the turn that our words belong to, and turns left behind.

A caller's turn ends in one of four ways: it is answered; it is set aside (no wish for the floor); it is overtaken (the
caller goes on while its words are still unknown, which then belong to where they came from); or it is dropped.
"""

from __future__ import annotations

from telephony_agent.core.caller_turn import CallerTurn
from telephony_agent.core.conversation import Conversation, Turn, TurnInput


class Floor:
    """One call's floor."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._answered: CallerTurn | None = None
        self._overtaken: dict[int, CallerTurn] = {}
        self.turn = Turn(0, TurnInput.GREETING)
        """The turn that our next words belong to."""
        self.caller: CallerTurn | None = None
        """The caller's turn, from his first word until it is answered or set aside."""

    @property
    def speaking(self) -> CallerTurn | None:
        """The caller's turn as long as he may still go on."""
        return self.caller if self.caller is not None and self.caller.open else None

    def open(self, kind: TurnInput, started_ms: int = 0) -> Turn:
        """Begin a turn."""
        # Not behind ``turn``, which after an aside is an older one.
        self.turn = self._conversation.open(len(self._conversation.turns), kind, started_ms)
        return self.turn

    def take(self, started_ms: int, *, over: Turn | None, protected: bool) -> CallerTurn:
        """Let the caller begin a turn, over one of ours if we speak."""
        self.caller = CallerTurn(self.open(TurnInput.SPEECH, started_ms), over=over, protected=protected)
        return self.caller

    def go_on(self, started_ms: int, within_ms: int) -> CallerTurn | None:
        """Let the caller go on with the turn that was just answered, if he can: at once, and before we were heard."""
        last = self._answered
        if last is None or last.turn is not self.turn or not last.turn.transcript or last.turn.reply_heard:
            return None
        if started_ms - last.turn.ended_ms > within_ms:
            return None
        last.reopen()
        self.caller = last
        return last

    def answer(self) -> None:
        """The caller's turn, if there is one, has our answer now."""
        self._answered, self.caller = self.caller, None

    def set_aside(self, caller: CallerTurn, over: Turn) -> None:
        """Take a turn for an aside: its words stay, and our words still belong to the turn before."""
        caller.turn.input = TurnInput.ASIDE
        caller.turn.transcript = caller.words or ""
        self.caller = None
        self.turn = over

    def overtake(self) -> None:
        """Leave the caller's turn, if there is one, to whatever its words will be."""
        if self.caller is not None:
            self.leave_behind(self.caller)
            self.caller = None

    def leave_behind(self, caller: CallerTurn) -> None:
        """Keep a turn whose words are still to come."""
        self._overtaken[caller.turn.number] = caller

    def left_behind(self, turn: int) -> CallerTurn | None:
        """Return the turn of that number if it was left behind."""
        return self._overtaken.get(turn)

    def undecided_since(self) -> float | None:
        """Return since when the caller is silent whose words over ours are still unknown."""
        caller = self.caller
        return caller.decided_at if caller is not None and caller.over is not None else None
