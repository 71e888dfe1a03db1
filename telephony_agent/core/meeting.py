"""Meets whoever has answered a call of ours: does what ``Answering`` finds right, until a person talks to us."""

from __future__ import annotations

from typing import assert_never

from telephony_agent.core.answering import Move
from telephony_agent.core.call_parts import CallParts
from telephony_agent.core.conversation import Turn, TurnInput
from telephony_agent.core.counsel import Then
from telephony_agent.core.events import Action, EndReason
from telephony_agent.core.floor import Floor
from telephony_agent.core.leave import CAP_S
from telephony_agent.core.our_side import OurSide


class Meeting:
    """The meeting of an answerer. Of a call that rings us nothing is asked here: ``Answering`` is not open."""

    def __init__(self, call: CallParts, floor: Floor, ours: OurSide) -> None:
        self._call = call
        self._floor = floor
        self._ours = ours

    def make(self, move: Move, now: float) -> list[Action]:
        """Do what is to be done about whoever has answered."""
        say = self._call.say
        if self._call.leave.taking:
            return []
        match move:
            case Move.WAIT | Move.CONVERSE:
                return []
            case Move.GREET:
                self._floor.open(TurnInput.GREETING)
                self._ours.announce(say.greeting)
                return []
            case Move.INTRODUCE:
                self._ours.announce(say.introduction or say.greeting)
                return []
            case Move.LEAVE_MESSAGE | Move.HANG_UP:
                return self._leave_machine(leaves_message=move is Move.LEAVE_MESSAGE, now=now)
            case _:
                assert_never(move)

    def take(self, turn: Turn, words: str, now: float) -> list[Action] | None:
        """Take what somebody said whom we called; None: they talk to us, and are to be answered."""
        call = self._call
        if not call.answering.open:
            return None
        move = call.answering.take(words, turn.ended_ms - turn.started_ms, now)
        if move is Move.CONVERSE:
            return None
        advice = call.counsel.take(turn.number, words, "", call.calendar.date(now))
        if move is Move.GREET and Then(advice.then) is Then.END:
            # Whoever says at once that they want no calls, is heard.
            return None
        call.counsel.withdraw(turn.number)
        actions = call.composer.withdraw()
        call.fillers.rest()
        if move is not Move.INTRODUCE:
            turn.input = TurnInput.ASIDE
        return actions + self.make(move, now)

    def _leave_machine(self, *, leaves_message: bool, now: float) -> list[Action]:
        """Take leave of a machine, with our message where it gets one."""
        actions = self._ours.stop(now)
        self._floor.open(TurnInput.SILENCE)
        message = self._call.say.voicemail if leaves_message else None
        within_s = CAP_S + (message.seconds if message is not None else 0)
        self._call.leave.take(EndReason.MACHINE, now, within_s=within_s)
        if message is not None:
            self._ours.announce(message)
        return actions
