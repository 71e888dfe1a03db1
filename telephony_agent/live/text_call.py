"""A call by text: the same conversation, guide and endings as on the phone, without a line and a voice.

Theory of operation
-------------------
``take`` opens a turn with the caller's words and returns its ``Answer`` at once; the phrases come into it as the model
words them. What drives a turn to its end are the responding lane's callbacks, not whoever reads the answer: a reader
who goes away loses nothing but the reading. Every phrase of ours counts as heard the moment it is said.

A call ends as on the phone: by the guide, by the caller's goodbye, by ``[END_CALL]`` if the guide finds a reason, by
engines that fail again and again; and by a long silence, or too many turns. ``end`` concludes it whoever asks for it; a
second end changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from loguru import logger

from telephony_agent.core.call_terms import CallPolicy
from telephony_agent.core.composer import FAILED_TOOL, MAX_CALLS
from telephony_agent.core.conversation import Conversation, Turn, TurnInput
from telephony_agent.core.counsel import Then
from telephony_agent.core.events import EndReason, EngineFailed, ToolReturned, UseTool
from telephony_agent.core.phrases import PhraseSplitter
from telephony_agent.core.tool_calls import ToolCall
from telephony_agent.engines.base import Responder
from telephony_agent.errors import ResponseError, TelephonyAgentError
from telephony_agent.live.call_book import CallBook
from telephony_agent.live.call_maker import REPLY_ROOM_TOKENS
from telephony_agent.live.lanes import Job, Lane
from telephony_agent.live.sales_desk import outcome_of
from telephony_agent.live.tool_room import ToolRoom
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import Setting
from telephony_agent.sales.outcome import Outcome

_CLEAN_UP_S = 60.0


class TextCallError(TelephonyAgentError):
    """A text call can't do what it was asked."""

    code = "text_call"


class TurnInProgressError(TextCallError):
    """The turn before is still being answered."""

    code = "turn_in_progress"


class CallOverError(TextCallError):
    """The call has ended."""

    code = "call_over"


def present() -> datetime:
    """Return the present, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class TextTerms:
    """What all text calls of a server share: who words the replies, by which rules, within which limits."""

    responder: Responder
    lane: Lane
    """Where the responder runs."""
    deadline_s: float
    """How long a reply may take, waiting included."""
    policy: CallPolicy
    takes_notes: bool = False
    """Whether the model understands the guide's notes."""
    tools: ToolRoom = field(default_factory=ToolRoom)
    """Where the tools run that it may call."""
    idle_s: float = 900.0
    """The silence after which a call is over."""
    max_turns: int = 200
    max_failures: int = 3
    clock: Callable[[], datetime] = present
    """Tells the present, in which callers name days and hours."""


class Answer:
    """Our side of one turn, phrase by phrase; to be read once. It is completed whether anybody reads it or not."""

    def __init__(self) -> None:
        self._phrases: asyncio.Queue[str | None] = asyncio.Queue()

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield the phrases as they come; returns when the turn is over."""
        while (phrase := await self._phrases.get()) is not None:
            yield phrase

    async def text(self) -> str:
        """Wait for all of it."""
        return " ".join([phrase async for phrase in self])

    def add(self, phrase: str) -> None:
        """Add a phrase."""
        self._phrases.put_nowait(phrase)

    def complete(self) -> None:
        """Let the reader go: nothing more will come."""
        self._phrases.put_nowait(None)


class TextCall:
    """One call by text. Lives on the event loop."""

    def __init__(
        self,
        call_id: str,
        setting: Setting,
        guide: Guide,
        terms: TextTerms,
        *,
        book: CallBook | None = None,
        ended: Callable[[TextCall], None] = lambda _: None,
    ) -> None:
        """Begin with the greeting, and let the responder read ahead.

        Args:
            guide: this call's alone.
            book: writes the call down.
            ended: called once, when it is over.
        """
        self.call_id = call_id
        self.guide = guide
        self.end_reason: EndReason | None = None
        self.outcome: Outcome | None = None
        self._setting = setting
        self._playbook = setting.playbook
        self._terms = terms
        self._book = book
        self._ended = ended
        self._log = logger.bind(call_id=call_id, channel="text")
        self._loop = asyncio.get_running_loop()
        self._began_at = self._loop.time()
        self._session = terms.responder.session()
        self.conversation = Conversation(
            self._playbook.system_prompt(),
            budget=terms.responder.context_tokens - REPLY_ROOM_TOKENS,
            count=terms.responder.count_tokens,
            takes_notes=terms.takes_notes,
        )
        self._turn = self.conversation.open(0, TurnInput.GREETING)
        self._answer: Answer | None = None
        self._job: Job | None = None
        self._leaving: EndReason | None = None
        self._failures = 0
        self._say(self._playbook.greeting)
        self._write()
        self._read_ahead()
        self._silence = self._wait()

    @property
    def greeting(self) -> str:
        """Our first words."""
        return self._playbook.greeting

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.end_reason is not None

    def take(self, words: str) -> Answer:
        """Take the caller's words; return the answer, which may still be in the making.

        Raises:
            TurnInProgressError: the turn before is still being answered.
            CallOverError: the call has ended.
        """
        answer = self._open(words)
        turn = self._turn
        self._guarded(lambda: self._reply(turn))
        return answer

    def end(self, reason: EndReason) -> None:
        """End the call and conclude what came of it; an answer in the making ends with what has been said."""
        if self.over:
            return
        self.end_reason = reason
        self._silence.cancel()
        if self._job is not None:
            self._job.cancel()
        self.guide.close(self.conversation.heard_before(len(self.conversation.turns)))
        self.outcome = outcome_of(self.guide, self._setting, reason)
        if self._book is not None:
            self._book.conclude(self.outcome, self.conversation.turns)
        self._log.bind(reason=reason.value, disposition=self.outcome.disposition.value).info("A call is concluded")
        # The lane is the session's only user, so the cache is dropped there, behind the work that was cancelled.
        session = self._session
        self._submit(lambda _: session.close())
        self._complete()
        self._ended(self)

    def _open(self, words: str) -> Answer:
        """Open the caller's turn."""
        if self.over:
            raise CallOverError("the call is over; start another one")
        if self._answer is not None:
            raise TurnInProgressError("the turn before is still being answered; wait for its end")
        self._silence.cancel()
        answer = self._answer = Answer()
        turn = self._turn = self.conversation.open(len(self.conversation.turns), TurnInput.SPEECH, self._elapsed_ms())
        turn.transcript = words
        # Nothing is begun ahead; to the book this says that the words are final.
        turn.timings["speculated"] = 0
        return answer

    def _reply(self, turn: Turn) -> None:
        """Reply to a turn's words: what the guide says, or what the model makes of them."""
        words, heard = turn.transcript, self.conversation.heard_before(turn.number)
        advice = self.guide.take(turn.number, words, heard, self._terms.clock())
        if self._terms.policy.is_goodbye(words):
            self._leaving = EndReason.GOODBYE
        self._write()
        if advice.say:
            self._recite(advice.say)
            self._settle(Then(advice.then))
        elif turn.number >= self._terms.max_turns:
            self._leave(EndReason.TIME_LIMIT, self._playbook.goodbye)
        else:
            self._ask(turn, advice.note)

    def _guarded(self, step: Callable[[], None]) -> None:
        """Take one step of the call."""
        try:
            step()
        except Exception:  # the call's outermost edge: whatever happens, only this call ends
            self._log.exception("A call was ended by a fault of ours")
            self._leave(EndReason.FAULT, self._playbook.fault_goodbye)
            self._complete()

    # ------------------------------------------------------------------ the model's words

    def _ask(self, turn: Turn, note: str = "") -> None:
        """Let the model word the reply to a turn, or go on with it after a tool's result."""
        session = self._session
        messages = tuple(self.conversation.messages(note, going_on=turn if turn.tools else None))
        may_call = len(turn.tools) < MAX_CALLS
        splitter = PhraseSplitter()

        def work(job: Job) -> None:
            for delta in session.reply(messages, job.cancelled, may_call=may_call):
                job.emit(delta)

        def say(phrases: list[str]) -> None:
            for phrase in phrases:
                passed = self.guide.check(turn.number, phrase).text
                if passed:
                    self._say(passed)

        def ended(error: Exception | None) -> None:
            self._job = None
            if error is None:
                say(splitter.flush())
                if splitter.call is not None and may_call:
                    self._call(turn, splitter.call)
                    return
                ends = splitter.end_call and self.guide.may_end(turn.number, turn.reply)
                if turn.reply or ends:
                    self._settle(Then.END if ends else Then.GO_ON)
                    return
                error = ResponseError("the reply had no words that may be said")
            else:
                # The cache of a session that failed is not to be trusted, and its thread may still hold it.
                self._session = self._terms.responder.session()
            self._fail(error)

        self._job = self._terms.lane.submit(
            work,
            deadline_s=self._terms.deadline_s,
            on_item=lambda delta: self._guarded(lambda: say(splitter.feed(delta))),
            on_end=lambda error: self._guarded(lambda: ended(error)),
        )

    def _call(self, turn: Turn, call: ToolCall) -> None:
        """Call the tool that a reply ends with: the guide rules on it, or it is one of the user's."""
        number = len(turn.tools)
        use = self.conversation.call(turn, call)
        ruling = self.guide.call_tool(turn.number, call.name, call.arguments, self._terms.clock())
        if ruling is None:
            self._terms.tools.use(
                UseTool(turn.number, 0, number, call.name, call.arguments),
                lambda event: self._guarded(lambda: self._returned(turn, event)),
            )
            return
        use.result = ruling.result
        self._recite(ruling.say)
        then = Then(ruling.then)
        if ruling.say or then is not Then.GO_ON:
            self._settle(then)
        else:
            self._ask(turn)

    def _returned(self, turn: Turn, event: ToolReturned | EngineFailed) -> None:
        """Take what a tool came to, and let the model go on."""
        number, result = (event.number, event.result) if isinstance(event, ToolReturned) else (event.item, FAILED_TOOL)
        turn.tools[number].result = result
        self.guide.tool_returned(turn.number, result)
        # Whoever was interrupted meanwhile isn't answered any more; what the tool did stays noted.
        if turn is self._turn and self._answer is not None:
            self._ask(turn)

    def _read_ahead(self) -> None:
        """Let the responder read what it can know before the caller has said a word."""
        session = self._session
        messages = tuple(self.conversation.messages())
        self._submit(lambda job: session.prefill(messages, job.cancelled))

    def _submit(self, work: Callable[[Job], None]) -> None:
        """Let something be done to the session; what becomes of it changes nothing here."""

        def ended(error: Exception | None) -> None:
            if error is not None:
                self._log.bind(error=str(error)).warning("A session could not be prepared or closed")

        self._terms.lane.submit(work, deadline_s=_CLEAN_UP_S, on_item=lambda _: None, on_end=ended)

    # ------------------------------------------------------------------ our side

    def _recite(self, words: str) -> None:
        """Say fixed words, in phrases as the model's."""
        splitter = PhraseSplitter()
        for phrase in [*splitter.feed(words), *splitter.flush()]:
            self._say(phrase)

    def _say(self, phrase: str) -> None:
        turn = self._turn
        turn.timings.setdefault("first_phrase_ms", self._elapsed_ms() - turn.started_ms)
        turn.reply = turn.reply_heard = f"{turn.reply} {phrase}".strip()
        if self._answer is not None:
            self._answer.add(phrase)

    def _settle(self, then: Then) -> None:
        """Draw the consequences of a reply that is said."""
        self._failures = 0
        reason = self._leaving
        match then:
            case Then.TRANSFER:
                reason = EndReason.TRANSFER
            case Then.END:
                reason = reason or EndReason.AGENT
            case Then.GO_ON:
                pass
        self._rest(reason)

    def _fail(self, error: Exception) -> None:
        """Apologise for the responder and go on; take leave when it fails again and again."""
        self._failures += 1
        self._log.bind(turn=self._turn.number, error=str(error), kind=type(error).__name__).error("An engine failed")
        if self._failures >= self._terms.max_failures:
            self._leave(EndReason.FAULT, self._playbook.fault_goodbye)
        else:
            self._recite(self._playbook.goodbye if self._leaving else self._playbook.apology)
            self._rest(self._leaving)

    def _leave(self, reason: EndReason, words: str) -> None:
        self._recite(words)
        self._rest(reason)

    def _rest(self, reason: EndReason | None) -> None:
        """Be done with the turn: end the call for this reason, or wait for the caller's next words."""
        if reason is not None:
            self.end(reason)
            return
        self._write()
        self._silence = self._wait()
        self._complete()

    def _complete(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.complete()

    def _write(self) -> None:
        if self._book is not None:
            self._book.turns(self.conversation.turns)

    def _wait(self) -> asyncio.TimerHandle:
        return self._loop.call_later(self._terms.idle_s, self.end, EndReason.SILENCE)

    def _elapsed_ms(self) -> int:
        return round((self._loop.time() - self._began_at) * 1000)
