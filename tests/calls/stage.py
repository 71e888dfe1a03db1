"""A small vocabulary to tell whole calls in virtual time: ``call.caller_says("hello")``, ``call.agent_is_heard``.

The caller's speech is frames that the detector flags; engines answer after a given virtual time. Nothing sleeps, and a
ten-minute call takes milliseconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count, groupby

from telephony_agent.audio import decode_mulaw, encode_mulaw, level_dbov
from telephony_agent.core.call_flow import CallFlow
from telephony_agent.core.call_terms import Announcement, Announcements, CallRules
from telephony_agent.core.conversation import Conversation, Turn
from telephony_agent.core.counsel import Counsel
from telephony_agent.core.events import (
    Action,
    AnswererJudged,
    AudioHeard,
    BeepHeard,
    CallBegan,
    CallerLeft,
    CancelReply,
    EndJudged,
    EngineFailed,
    Event,
    HangUp,
    KeyPressed,
    MarkHeard,
    Opening,
    ReplyDelta,
    ReplyFinished,
    Respond,
    SendClear,
    SendMark,
    SendMedia,
    Stage,
    Synthesize,
    Synthesized,
    Tick,
    ToolReturned,
    Transcribe,
    Transcribed,
    UseTool,
)
from telephony_agent.core.frame_clock import Frame
from telephony_agent.sales.phrasebook import Phrasebook

FRAME_S = 0.02
NOON = 1_795_521_600.0
"""November 24, 2026, 12:00 UTC."""
SILENT_DBOV = -96.0
MS_PER_CHAR = 60
SILENCE = b"\xff" * 160
VOICE = encode_mulaw((2320).to_bytes(2, "little"))
"""A sample at -23 dBov."""


def speech_of(text: str) -> bytes:
    """Audio whose length follows the text, in whole frames; its bytes don't matter to the core."""
    frames = max(1, len(text) * MS_PER_CHAR // 20)
    return VOICE * 160 * frames


def announcement(text: str) -> Announcement:
    return Announcement(text, speech_of(text))


ANNOUNCEMENTS = Announcements(
    greeting=announcement("Hi, this is Ava, an AI."),
    not_understood=announcement("Sorry, say that again?"),
    apology=announcement("Sorry, I lost my thread."),
    reprompts=(announcement("Are you there?"), announcement("I can't hear you.")),
    fillers=(announcement("Let me see."), announcement("One moment.")),
    silence_goodbye=announcement("I'll hang up now."),
    time_up=announcement("I have to go now."),
    fault_goodbye=announcement("I have a problem, goodbye."),
    untaken=announcement("Nobody can take the call. When may we call you back?"),
    reconnected=announcement("Sorry, the line dropped. Where were we?"),
)


INTRODUCTION = announcement("This is Ava, an AI, about your booking.")
MESSAGE = announcement("Hello, this is Ava, an AI. We will try again.")
TRANSFER = announcement("I'll connect you.")
"""What is said before the caller is connected, where somebody is there."""


@dataclass
class TwinBuffer:
    """Twilio's playout: plays one second a second, echoes marks when it passes them, all of them on clear."""

    queue: list[bytes | str] = field(default_factory=list)
    played: bytearray = field(default_factory=bytearray)
    sounding: list[bool] = field(default_factory=list)
    """Whether something was heard, for every 20 ms of the call."""
    levels: list[float] = field(default_factory=list)

    def step(self) -> list[str]:
        """Play 20 ms; return the marks that come back."""
        marks = []
        while self.queue and isinstance(self.queue[0], str):
            marks.append(str(self.queue.pop(0)))
        self.sounding.append(bool(self.queue))
        playing = self.queue[0] if self.queue else SILENCE
        self.levels.append(level_dbov(decode_mulaw(bytes(playing))))  # type: ignore[arg-type]  # no string here
        if self.queue:
            self.played += bytes(self.queue.pop(0))  # type: ignore[arg-type]  # strings were taken out above
        while self.queue and isinstance(self.queue[0], str):
            marks.append(str(self.queue.pop(0)))
        return marks

    def clear(self) -> list[str]:
        """Forget all audio; return all marks."""
        marks = [item for item in self.queue if isinstance(item, str)]
        self.queue.clear()
        return marks


class Call:
    """One call on the stage. Times are seconds of virtual time."""

    def __init__(
        self,
        replies: list[str | Exception] | Callable[[Respond], str] = (),  # type: ignore[assignment]
        *,
        rules: CallRules | None = None,
        transcribe_s: float = 0.1,
        first_token_s: float = 0.1,
        synthesize_s: float = 0.02,
        word_s: float = 0.03,
        lose_marks: bool = False,
        ended: Callable[[str], float] = lambda words: 1.0,
        transfers: bool = False,
        echo: tuple[float, int] | None = None,
        drop_every: int = 0,
        counsel: Counsel | None = None,
        greeting: str = "",
        tools: Mapping[str, str | None] | None = None,
        tool_s: float = 0.5,
        dialled: bool = False,
        leaves_message: bool = True,
    ) -> None:
        """Begin a call.

        Args:
            echo: the gain in dB by which our voice comes back, and after how many frames.
            drop_every: each n-th frame of the caller's is lost, and filled with silence.
            counsel: the sales side's word on each turn; without one all is left to the model.
            greeting: other words than the stage's own.
            tools: what each tool returns, after ``tool_s``; None where it fails.
            dialled: whether we called; then whoever picks up speaks first.
            leaves_message: whether a mailbox gets a message.
        """
        self.conversation = Conversation("You are Ava.", budget=400, count=lambda text: len(text.split()))
        said = replace(ANNOUNCEMENTS, transfer=TRANSFER) if transfers else ANNOUNCEMENTS
        said = replace(said, greeting=announcement(greeting)) if greeting else said
        if dialled:
            said = replace(said, introduction=INTRODUCTION, voicemail=MESSAGE if leaves_message else None)
        self.flow = CallFlow(rules or CallRules(), said, self.conversation, Phrasebook.shipped(), counsel)
        self.now = 100.0
        self.stream_ms = 155
        self.log: list[Event | Action] = []
        self.twin = TwinBuffer()
        self.hung_up: HangUp | None = None
        self.prompts: list[list[dict[str, str]]] = []
        self.fail: set[Stage] = set()
        self.lose_marks = lose_marks
        self._tools = tools or {}
        self._tool_s = tool_s
        self._echo = echo
        self._drop_every = drop_every
        self._heard_frames = 0
        self._ended = ended
        self._replies = replies
        self._word_s = word_s
        self._reply_index = count()
        self._delays = (transcribe_s, first_token_s, synthesize_s)
        self._later: list[tuple[float, int, Event]] = []
        self._order = count()
        self._words: list[str] = []
        self._cancelled: set[int] = set()
        self.tell(CallBegan(NOON, Opening.ANSWERED if dialled else Opening.GREETING))

    # -- what a story says

    def caller_says(self, text: str, *, seconds: float | None = None) -> None:
        """Speak; the transcriber will understand ``text``."""
        self._words.append(text)
        self._frames(round((seconds or max(0.6, len(text) * MS_PER_CHAR / 1000)) / FRAME_S), speech=True)

    def caller_waits(self, seconds: float) -> None:
        """Be silent."""
        self._frames(round(seconds / FRAME_S), speech=False)

    def caller_presses(self, digits: str) -> None:
        """Press keys, a fifth of a second apart."""
        for digit in digits:
            self.tell(KeyPressed(digit))
            self.caller_waits(0.2)

    def beeps(self) -> None:
        """Let a mailbox beep; it is heard when the silence after it is."""
        self.caller_waits(0.2)
        self.tell(BeepHeard())

    def carrier_says(self, answered_by: str) -> None:
        """Let the carrier tell who has answered."""
        self.tell(AnswererJudged(answered_by))

    def caller_hangs_up(self) -> None:
        """Leave."""
        self.tell(CallerLeft(stopped=True))

    def line_breaks(self) -> None:
        """Lose the socket; what was on its way is gone with it."""
        self.tell(CallerLeft(stopped=False))
        self.twin.queue.clear()
        self._later.clear()

    def caller_is_back(self, opening: Opening = Opening.RECONNECTED) -> None:
        """Come back on another stream, with a clock of its own."""
        self.now += 1.0
        self.stream_ms = 155
        self.hung_up = None
        self.tell(CallBegan(NOON + 1.0, opening))

    def caller_listens(self, at_most_s: float = 60.0) -> None:
        """Be silent until the agent has spoken and is silent again."""
        for _ in range(round(at_most_s / FRAME_S)):
            self._frames(1, speech=False)
            if self.hung_up or (not self.twin.queue and not self._later and self.flow.at_rest(self.now)):
                return
        raise AssertionError("the agent never finished")

    @property
    def turns(self) -> list[Turn]:
        return self.flow.account(self.now)

    @property
    def heard(self) -> list[str]:
        return [turn.reply_heard for turn in self.turns]

    def sent(self, kind: type[Action]) -> list[Action]:
        return [item for item in self.log if isinstance(item, kind)]

    def longest_pause_s(self) -> float:
        """Return the longest silence between two sounds of the agent's."""
        runs = [len(list(run)) for heard, run in groupby(self.twin.sounding) if not heard]
        return max(runs[1:-1], default=0) * FRAME_S

    # -- the machinery

    def tell(self, event: Event) -> None:
        self.log.append(event)
        for action in self.flow.handle(event, self.now):
            self.log.append(action)
            self._perform(action)

    def _frames(self, number: int, *, speech: bool) -> None:
        for _ in range(number):
            if self.hung_up:
                return
            self.now += FRAME_S
            self.stream_ms += 20
            for event in self._due():
                self.tell(event)
            for mark in self.twin.step():
                if not self.lose_marks:
                    self.tell(MarkHeard(mark))
            self.tell(self._heard(speech))
            deadline = self.flow.deadline()
            if deadline is not None and deadline <= self.now:
                self.tell(Tick())

    def _heard(self, speech: bool) -> AudioHeard:
        """Make the caller's next frame, with our own voice in it where the line sends it back."""
        self._heard_frames += 1
        if self._drop_every and self._heard_frames % self._drop_every == 0:
            return AudioHeard(Frame(self.stream_ms, SILENCE, filled=True), speech=False, level_dbov=-96.0)
        level = -25.0 if speech else -70.0
        if self._echo is not None:
            gain_db, delay = self._echo
            ours = self.twin.levels[-1 - delay] if len(self.twin.levels) > delay else SILENT_DBOV
            level = max(level, ours + gain_db)
        return AudioHeard(Frame(self.stream_ms, SILENCE), speech or level > -45.0, level)

    def _due(self) -> Iterator[Event]:
        while self._later and self._later[0][0] <= self.now:
            event = heapq.heappop(self._later)[2]
            of_tool = isinstance(event, ToolReturned) or (isinstance(event, EngineFailed) and event.stage is Stage.TOOL)
            if of_tool or getattr(event, "draft", 0) not in self._cancelled:
                yield event

    def _schedule(self, delay_s: float, event: Event) -> None:
        heapq.heappush(self._later, (self.now + delay_s, next(self._order), event))

    def _perform(self, action: Action) -> None:
        transcribe_s, first_token_s, synthesize_s = self._delays
        match action:
            case SendMedia(payload):
                self.twin.queue.append(payload)
            case SendMark(name):
                self.twin.queue.append(name)
            case SendClear():
                for mark in self.twin.clear():
                    self._schedule(0.03, MarkHeard(mark))
            case Transcribe(turn, attempt):
                self._schedule(transcribe_s, self._or_fail(Transcribed(turn, attempt, self._words[-1]), attempt))
            case Respond(messages=messages):
                self.prompts.append([dict(message) for message in messages])  # type: ignore[arg-type]
                self._respond(action, first_token_s)
            case Synthesize(turn, draft, phrase, text):
                spoken = Synthesized(turn, draft, phrase, speech_of(text))
                self._schedule(synthesize_s, self._or_fail(spoken, phrase, draft))
            case UseTool(turn, draft, number, name):
                result = self._tools.get(name)
                returned = ToolReturned(turn, draft, number, result or "")
                failed = EngineFailed(turn, Stage.TOOL, number, draft)
                # A tool is never cancelled: what it returns is told, whoever still waits for it.
                self._schedule(self._tool_s, returned if result is not None else failed)
            case CancelReply(draft=draft):
                self._cancelled.add(draft)
            case HangUp():
                self.hung_up = action

    def _respond(self, action: Respond, first_token_s: float) -> None:
        if action.judge_end:
            probability = self._ended(action.messages[-1]["content"])
            self._schedule(first_token_s / 2, EndJudged(action.turn, action.draft, probability))
        if Stage.RESPOND in self.fail:
            self._schedule(first_token_s, EngineFailed(action.turn, Stage.RESPOND, action.draft, action.draft))
            return
        if callable(self._replies):
            text = self._replies(action)
        else:
            index = next(self._reply_index)
            text = str(self._replies[index]) if index < len(self._replies) else "I see. What else?"
        words = text.split(" ")
        for i, word in enumerate(words):
            self._schedule(
                first_token_s + i * self._word_s, ReplyDelta(action.turn, action.draft, word if i == 0 else " " + word)
            )
        self._schedule(first_token_s + len(words) * self._word_s, ReplyFinished(action.turn, action.draft))

    def _or_fail(self, event: Transcribed | Synthesized, item: int, draft: int = 0) -> Event:
        stage = Stage.TRANSCRIBE if isinstance(event, Transcribed) else Stage.SYNTHESIZE
        return EngineFailed(event.turn, stage, item, draft) if stage in self.fail else event
