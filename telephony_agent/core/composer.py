"""Makes the replies of one call, one draft at a time: words become phrases, phrases become audio, audio is spoken.

A draft that is begun before the caller's turn is over is *held* (``reply.Reply``): ``let_go`` lets it be heard,
``withdraw`` throws it away. What became of a draft is in ``result``, once, for whoever drives the composer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from telephony_agent.core.call_terms import Announcement
from telephony_agent.core.conversation import Conversation, Turn
from telephony_agent.core.counsel import Counsel, Then
from telephony_agent.core.events import (
    Action,
    CancelReply,
    EngineFailed,
    ReplyDelta,
    ReplyFinished,
    Respond,
    Stage,
    Synthesized,
)
from telephony_agent.core.patience import Fillers, Reprompts
from telephony_agent.core.reply import Reply
from telephony_agent.core.voice import Voice


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a draft that was to be heard.

    ``failed``: it came to nothing, and nothing of it will come. ``lost_phrase``: an apology stands in the place of one
    of its phrases; the rest may still come.
    """

    failed: bool = False
    lost_phrase: bool = False
    end_call: bool = False
    then: Then = Then.GO_ON


class Composer:
    """One call's replies. Nothing here decides who may speak; that is the call flow's."""

    def __init__(
        self,
        conversation: Conversation,
        voice: Voice,
        fillers: Fillers,
        reprompts: Reprompts,
        apology: Announcement,
        counsel: Counsel,
    ) -> None:
        self._counsel = counsel
        self._conversation = conversation
        self._voice = voice
        self._fillers = fillers
        self._reprompts = reprompts
        self._apology = apology
        self._reply: Reply | None = None
        self._drafts = 0
        self.decided_at: float | None = None
        """When the caller's turn was decided to be over: the turn gap is counted from there."""
        self.result: Result | None = None

    @property
    def composing(self) -> bool:
        """Whether a draft is in the making."""
        return self._reply is not None

    @property
    def holding(self) -> bool:
        """Whether that draft is held."""
        return self._reply is not None and self._reply.held

    @property
    def draft(self) -> int | None:
        """The number of that draft."""
        return self._reply.draft if self._reply is not None else None

    def begin(
        self, turn: Turn, now: float, *, held: bool = False, judge_end: bool = False, note: str = ""
    ) -> list[Action]:
        """Ask for a draft of the reply to a turn, and for the judgement of its end if that is wanted."""
        self._new_reply(turn, now, held=held)
        return [Respond(turn.number, self._drafts, tuple(self._conversation.messages(note)), judge_end)]

    def recite(self, turn: Turn, words: str, then: Then, now: float, *, held: bool = False) -> list[Action]:
        """Answer a turn with fixed words, spoken by the synthesizer."""
        reply = self._new_reply(turn, now, held=held)
        reply.then = then
        actions: list[Action] = list(reply.recite(words))
        if not held:
            self._note(reply)
        return actions

    def _new_reply(self, turn: Turn, now: float, *, held: bool) -> Reply:
        self._drafts += 1
        for stage in ("first_token_ms", "first_phrase_ms"):
            turn.timings.pop(stage, None)

        def check(phrase: str) -> str | None:
            return self._counsel.check(turn.number, phrase).text

        self._reply = Reply(turn.number, self._drafts, asked_at=now, held=held, check=check, before=turn.reply)
        return self._reply

    def withdraw(self) -> list[Action]:
        """Throw the draft away; nothing more of it is spoken."""
        reply, self._reply = self._reply, None
        return [CancelReply(reply.turn, reply.draft)] if reply is not None else []

    def let_go(self, now: float) -> None:
        """Let the held draft be heard."""
        if self._reply is not None:
            timings = self._conversation.turns[self._reply.turn].timings
            begun_ms = round((now - self._reply.asked_at) * 1000)
            # Once the first phrase lies ready, nothing more is saved.
            timings["saved_ms"] = min(begun_ms, timings.get("first_phrase_ms", begun_ms))
            for text, audio in self._reply.let_go():
                self._speak(self._reply, text, audio, now)
            self._note(self._reply)

    def announced(self, turn: Turn, words: str) -> None:
        """Take note that fixed words are spoken in a turn, among or instead of those of its draft."""
        reply = self._reply
        if reply is not None and reply.turn == turn.number:
            reply.interject(words)
        if reply is not None and reply.turn == turn.number and not reply.held:
            turn.reply = reply.text
        else:
            turn.reply = f"{turn.reply} {words}".strip()

    def take(self, event: ReplyDelta | ReplyFinished | Synthesized, now: float) -> list[Action]:
        """Take the draft one step on."""
        reply = self._reply
        if reply is None or reply.draft != event.draft:
            return []
        actions: list[Action] = []
        timings = self._conversation.turns[reply.turn].timings
        elapsed_ms = round((now - reply.asked_at) * 1000)
        match event:
            case ReplyDelta(text=text):
                if not reply.begun:
                    timings["first_token_ms"] = elapsed_ms
                actions += reply.feed(text)
            case ReplyFinished():
                actions += reply.finish()
                if reply.empty and not reply.end_call:
                    return self._give_up(reply)
            case Synthesized(phrase=phrase, audio=audio):
                if phrase == 0:
                    timings["first_phrase_ms"] = elapsed_ms
                for text, speech in reply.release(phrase, audio):
                    self._speak(reply, text, speech, now)
        if not reply.held:
            self._note(reply)
        return actions

    def fail(self, event: EngineFailed, now: float) -> list[Action]:
        """Take an engine's failure at the draft: a lost phrase is apologised for, a lost reply is given up."""
        reply = self._reply
        if reply is None or reply.draft != event.draft:
            return []
        if event.stage is not Stage.SYNTHESIZE or reply.held:
            return self._give_up(reply)
        for text, speech in reply.release(event.item, self._apology.audio):
            self._speak(reply, self._apology.text if speech is self._apology.audio else text, speech, now)
        self._note(reply)
        self.result = replace(self.result or Result(), lost_phrase=True)
        return []

    def _give_up(self, reply: Reply) -> list[Action]:
        # A draft that was only held is asked for again when it is due.
        if not reply.held:
            self.result = Result(failed=True)
        return self.withdraw()

    def _speak(self, reply: Reply, text: str, audio: bytes, now: float) -> None:
        turn = self._conversation.turns[reply.turn]
        if self.decided_at is not None and "turn_gap_ms" not in turn.timings:
            waited_ms = round((now - self.decided_at) * 1000)
            turn.timings["turn_gap_ms"] = turn.timings.get("endpoint_ms", 0) + waited_ms
        self._fillers.rest()
        self._reprompts.interrupted()
        self._voice.say(turn, text, audio)

    def _note(self, reply: Reply) -> None:
        """Note the reply's words; when nothing of it is still to come, be done with it."""
        self._conversation.turns[reply.turn].reply = reply.text
        if reply.complete:
            self._reply = None
            self.result = Result(end_call=reply.end_call, then=reply.then)
