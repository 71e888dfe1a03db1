"""Makes the replies of one call, one draft at a time: words become phrases, phrases become audio, audio is spoken.

A draft that is begun before the caller's turn is over is *held* (``reply.Reply``): ``let_go`` lets it be heard,
``withdraw`` throws it away. What became of a draft is in ``result``, once, for whoever drives the composer.

A draft may end in the call of a tool. Only one that is to be heard calls it; then the draft waits for the result, and
when its own words are spoken, another draft goes on from there. Who withdraws it gives up the waiting: the tool has its
effect, and the conversation is told of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from telephony_agent.core.call_terms import Announcement
from telephony_agent.core.conversation import ChatMessage, Conversation, Turn
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
    ToolReturned,
    UseTool,
)
from telephony_agent.core.patience import Fillers, Reprompts
from telephony_agent.core.reply import Reply
from telephony_agent.core.voice import Voice

MAX_CALLS = 3
"""Tools that may be called in one turn."""
FAILED_TOOL = "The tool failed. Say that it can't be done now; don't try it again."


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
        date: Callable[[float], datetime],
    ) -> None:
        """Take a call's parts; ``date`` tells a moment of the call by the calendar."""
        self._date = date
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
        reply = self._new_reply(turn, now, held=held)
        return [self._ask(reply, self._conversation.messages(note), judge_end=judge_end)]

    def recite(self, turn: Turn, words: str, then: Then, now: float, *, held: bool = False) -> list[Action]:
        """Answer a turn with fixed words, spoken by the synthesizer."""
        reply = self._new_reply(turn, now, held=held)
        reply.then = then
        actions: list[Action] = list(reply.recite(words))
        return actions if held else [*actions, *self._note(reply, now)]

    def _new_reply(self, turn: Turn, now: float, *, held: bool) -> Reply:
        self._drafts += 1
        for stage in ("first_token_ms", "first_phrase_ms"):
            turn.timings.pop(stage, None)

        def check(phrase: str) -> str | None:
            return self._counsel.check(turn.number, phrase).text

        self._reply = Reply(
            *(turn.number, self._drafts),
            asked_at=now,
            held=held,
            may_call=len(turn.tools) < MAX_CALLS,
            check=check,
            before=turn.reply,
        )
        return self._reply

    def _ask(self, reply: Reply, messages: list[ChatMessage], *, judge_end: bool = False) -> Respond:
        return Respond(reply.turn, reply.draft, tuple(messages), judge_end, reply.may_call)

    def withdraw(self) -> list[Action]:
        """Throw the draft away; nothing more of it is spoken."""
        reply, self._reply = self._reply, None
        return [CancelReply(reply.turn, reply.draft)] if reply is not None else []

    def let_go(self, now: float) -> list[Action]:
        """Let the held draft be heard, and do what it calls for."""
        reply = self._reply
        if reply is None:
            return []
        timings = self._conversation.turns[reply.turn].timings
        begun_ms = round((now - reply.asked_at) * 1000)
        # Once the first phrase lies ready, nothing more is saved.
        timings["saved_ms"] = min(begun_ms, timings.get("first_phrase_ms", begun_ms))
        for text, audio in reply.let_go():
            self._speak(reply, text, audio, now)
        return self._note(reply, now)

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
                if reply.empty and not reply.wants_tool and not self._ends(reply):
                    return self._give_up(reply)
            case Synthesized(phrase=phrase, audio=audio):
                if phrase == 0:
                    timings["first_phrase_ms"] = elapsed_ms
                for text, speech in reply.release(phrase, audio):
                    self._speak(reply, text, speech, now)
        return actions if reply.held else [*actions, *self._note(reply, now)]

    def tool_returned(self, event: ToolReturned, now: float) -> list[Action]:
        """Take what a tool returned, whether the reply that called it still waits for it or not."""
        return self._learn(event.turn, event.number, event.result, now)

    def fail(self, event: EngineFailed, now: float) -> list[Action]:
        """Take an engine's failure at the draft: a lost phrase is apologised for, a lost reply is given up."""
        if event.stage is Stage.TOOL:
            return self._learn(event.turn, event.item, FAILED_TOOL, now)
        reply = self._reply
        if reply is None or reply.draft != event.draft:
            return []
        if event.stage is not Stage.SYNTHESIZE or reply.held:
            return self._give_up(reply)
        for text, speech in reply.release(event.item, self._apology.audio):
            self._speak(reply, self._apology.text if speech is self._apology.audio else text, speech, now)
        actions = self._note(reply, now)
        self.result = replace(self.result or Result(), lost_phrase=True)
        return actions

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

    def _note(self, reply: Reply, now: float) -> list[Action]:
        """Note the reply's words, and do what they call for; when nothing is still to come, be done with it."""
        turn = self._conversation.turns[reply.turn]
        turn.reply = reply.text
        actions = self._call(reply, turn, now)
        turn.reply = reply.text  # once more, since a ruling may have added to it
        if not reply.complete:
            return actions
        if reply.waits_for is None:
            self._reply = None
            self.result = Result(end_call=self._ends(reply), then=reply.then)
        elif turn.tools[reply.waits_for].result is not None:
            # It goes on behind what it has said: from here on it is another draft of the same turn.
            further = self._new_reply(turn, now, held=False)
            actions.append(self._ask(further, self._conversation.messages(going_on=turn)))
        return actions

    def _ends(self, reply: Reply) -> bool:
        """Whether the call ends behind a reply: the model wants it to, and the counsel finds a reason."""
        return reply.end_call and self._counsel.may_end(reply.turn, reply.text)

    # ------------------------------------------------------------------ tools

    def _call(self, reply: Reply, turn: Turn, now: float) -> list[Action]:
        """Call the tool that a reply ends with, once: the counsel rules on it, or the shell has it."""
        call = reply.take_call()
        if call is None:
            return []
        number = reply.waits_for = len(turn.tools)
        before = next((use for use in turn.tools if use.is_call(call.name, call.arguments)), None)
        use = self._conversation.call(turn, call)
        ruling = self._counsel.call_tool(turn.number, call.name, call.arguments, self._date(now))
        if ruling is None and before is not None:
            # The caller went on, and the same is asked for again: it has its effect only once.
            use.result = before.result
            return []
        if ruling is None:
            return [UseTool(turn.number, reply.draft, number, call.name, call.arguments)]
        use.result = ruling.result
        reply.then = Then(ruling.then)
        if ruling.say or reply.then is not Then.GO_ON:
            reply.waits_for = None
        return list(reply.say_at_last(ruling.say))

    def _learn(self, turn: int, number: int, result: str, now: float) -> list[Action]:
        """Take a tool's result for every call of the turn that waits for it."""
        uses = self._conversation.turns[turn].tools
        for use in uses:
            if use.result is None and use.is_call(uses[number].name, uses[number].arguments):
                use.result = result
        self._counsel.tool_returned(turn, result)
        reply = self._reply
        if reply is None or reply.turn != turn or reply.waits_for is None:
            return []
        return self._note(reply, now)
