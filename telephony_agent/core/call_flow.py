"""The call as a reducer: events and the time in, actions out; it wires the other pure objects together.

Theory of operation
-------------------
``handle(event, now)`` returns the actions that follow; ``deadline()`` says when to call it with ``Tick`` if nothing
else happens. There is one timer, and no other state than this object's.

Who has the floor:

==============  =====================================  ====================================================
floor           the caller starts to speak             what else ends it
==============  =====================================  ====================================================
``OPEN``        -> ``CALLER``                          silence too long -> reprompt (``AGENT``)
``CALLER``      (resumes: same turn)                   endpoint and transcript -> ``THINKING``, or straight to
                                                       ``AGENT`` when a reply was held ready
``THINKING``    reply withdrawn -> ``CALLER``          first phrase has audio -> ``AGENT``
``AGENT``       ``BargeInJudge`` says yes: clear and   all heard -> ``OPEN``, or the call ends
                pause; an aside ("mm-hm", a cough):
                go on from that word; else history
                cut, -> ``CALLER``
==============  =====================================  ====================================================

The floor is not stored but follows from three things: ``_caller`` (a turn of the caller's, until it is answered),
``_composer`` (words are being made) and ``_voice`` (words are being heard).

The end of the caller's turn is decided by ``rules.judge`` from the words, as soon as they are transcribed in the
trailing silence; a reply to them is begun at once and *held*. When the turn is over, the held reply leaves; when the
caller goes on, it is withdrawn.

Ending: a reason is set (``_ending``); when the last words are settled (their marks are back, or the playout's grace is
over) the call hangs up, at the latest ``END_CAP_S`` after the reason was set.
"""

from __future__ import annotations

from typing import assert_never

from telephony_agent.audio import BYTES_PER_MS, FRAME_MS
from telephony_agent.core.barge_in import BargeInJudge
from telephony_agent.core.call_terms import Announcement, Announcements, CallPolicy, CallRules
from telephony_agent.core.caller_turn import CallerTurn, Keypad
from telephony_agent.core.completeness import expectation_of
from telephony_agent.core.composer import Composer
from telephony_agent.core.conversation import Conversation, Turn, TurnInput
from telephony_agent.core.endpointing import (
    Ended,
    Endpointer,
    MaybeEnded,
    SpeechResumed,
    SpeechStarted,
)
from telephony_agent.core.events import (
    Action,
    AudioHeard,
    CallBegan,
    CallerLeft,
    EndReason,
    EndRequested,
    EngineFailed,
    Event,
    HangUp,
    KeyPressed,
    MarkHeard,
    ReplyDelta,
    ReplyFinished,
    Stage,
    Synthesized,
    Tick,
    Transcribed,
)
from telephony_agent.core.frame_clock import Frame
from telephony_agent.core.patience import Fillers, Reprompts
from telephony_agent.core.voice import Voice

END_CAP_S = 20.0


class CallFlow:
    """One call. Not thread-safe: the shell calls it from one place."""

    def __init__(
        self, rules: CallRules, announcements: Announcements, conversation: Conversation, policy: CallPolicy
    ) -> None:
        self._rules = rules
        self._say = announcements
        self._policy = policy
        self.conversation = conversation
        self.end_reason: EndReason | None = None
        self._endpointer = Endpointer(rules.endpointing)
        self._judge = BargeInJudge(rules.barge_in)
        self._voice = Voice()
        self._fillers = Fillers(announcements.fillers, after_s=rules.filler_after_s, again_s=rules.filler_again_s)
        self._reprompts = Reprompts(announcements.reprompts, after_s=rules.reprompt_after_s)
        self._composer = Composer(conversation, self._voice, self._fillers, self._reprompts, announcements.apology)
        self._turn = Turn(0, TurnInput.GREETING)
        self._caller: CallerTurn | None = None
        self._unfinished: dict[int, CallerTurn] = {}
        self._utterance: MaybeEnded | None = None
        self._keypad = Keypad()
        self._ending: EndReason | None = None
        self._end_by: float | None = None
        self._time_up_at: float | None = None
        self._overtime = False
        self._failures = 0

    # ------------------------------------------------------------------ the two calls of the shell

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event at ``now`` (monotonic seconds); return what is to be done, in order."""
        if self.end_reason is not None:
            return []
        actions: list[Action] = []
        match event:
            case CallBegan():
                self._time_up_at = now + self._rules.max_call_s
                self._turn = self.conversation.open(0, TurnInput.GREETING)
                self._announce(self._say.greeting)
            case AudioHeard():
                self._hear(event, now, actions)
            case KeyPressed(digit):
                self._press(digit, now, actions)
            case MarkHeard(name):
                self._voice.returned(name, now)
            case CallerLeft(stopped):
                self._finish(EndReason.CALLER if stopped else EndReason.LINE, now, actions)
            case EndRequested(reason):
                self._stop_talking(now, actions)
                self._end(reason, self._say.time_up, now)
            case Transcribed():
                self._learn(event, now, actions)
            case ReplyDelta() | ReplyFinished() | Synthesized():
                actions += self._composer.take(event, now)
            case EngineFailed():
                self._failed(event, now, actions)
            case Tick():
                pass
            case _:
                assert_never(event)
        if self.end_reason is None:
            self._conclude(now)
            self._settle(now, actions)
        return actions

    def deadline(self) -> float | None:
        """Return the time of the next ``Tick``, or None when only an event can change anything."""
        if self.end_reason is not None:
            return None
        times = [*self._voice.deadlines(), self._fillers.deadline, self._end_by, self._keypad.deadline]
        if self._ending is None:
            times += [self._time_up_at, self._reprompts.deadline]
        return min((time for time in times if time is not None), default=None)

    def at_rest(self, now: float) -> bool:
        """Tell whether nobody speaks and no reply is in the making."""
        busy = self._caller or self._composer.composing or self._keypad.pressed or self._endpointer.in_utterance
        return not busy and not self._voice.audible(now)

    def account(self, now: float) -> list[Turn]:
        """Return the turns with what was heard of each by ``now``: the call's one ledger."""
        self._voice.account(self.conversation.turns, now)
        return self.conversation.turns

    # ------------------------------------------------------------------ the caller's side

    def _hear(self, event: AudioHeard, now: float, actions: list[Action]) -> None:
        echo = self._voice.is_echo(event.level_dbov, now)
        speech = event.speech and not echo
        for signal in self._endpointer.hear(event.frame, speech=speech):
            caller = self._caller if self._caller is not None and self._caller.open else None
            match signal:
                case SpeechStarted():
                    self._judge.reset()
                    self._utterance = None
                    self._reprompts.interrupted()
                case MaybeEnded():
                    self._utterance = signal
                    if caller is not None:
                        actions.append(caller.transcribe(signal))
                case SpeechResumed():
                    self._utterance = None
                    if caller is not None:
                        caller.resume()
                        actions += self._composer.withdraw()
                        caller.turn.transcript = ""
                case Ended(started_ms, speech_end_ms):
                    # Speech that never got the floor is an aside; its audio is dropped here.
                    if caller is not None:
                        endpoint_ms = event.frame.timestamp_ms + FRAME_MS - speech_end_ms
                        caller.decide(started_ms, speech_end_ms, endpoint_ms, now)
                        self._decide(now)
                        self._answer_if_known(now, actions)
                case _:
                    assert_never(signal)
        self._weigh(event.frame, actions, now)
        if self._endpointer.in_utterance and self._interruptible(now):
            ours = (self._composer.composing and not self._composer.holding) or self._voice.audible(now)
            theirs = self._caller is not None and self._caller.open
            accepted = self._judge.hear(speech=speech, level_dbov=event.level_dbov)
            if not theirs and (accepted or not ours):
                self._take_floor(now, actions)

    def _interruptible(self, now: float) -> bool:
        """Tell whether the caller may take the floor; when the call is ending for good, no longer."""
        return self._ending is None or (self._ending is EndReason.AGENT and self._voice.audible(now))

    def _take_floor(self, now: float, actions: list[Action]) -> None:
        """Open a turn of the caller's. Over our speech we pause at once, but don't give up what we were saying yet."""
        over = self._turn if self._voice.audible(now) else None
        if over is not None:
            self._fillers.rest()
            actions += self._voice.pause(now)
        else:
            self._stop_talking(now, actions)
            self._ending = self._end_by = None
        self._open(TurnInput.SPEECH, self._endpointer.started_ms)
        self._caller = CallerTurn(self._turn, over=over)
        if self._utterance is not None:
            actions.append(self._caller.transcribe(self._utterance))

    def _weigh(self, frame: Frame, actions: list[Action], now: float) -> None:
        """Give up what we were saying when speech over it has lasted too long for an aside."""
        caller = self._caller
        if caller is None or caller.over is None or not caller.open:
            return
        if frame.timestamp_ms - caller.turn.started_ms > self._rules.aside_up_to_ms:
            self._yield_floor(caller, actions, now)

    def _yield_floor(self, caller: CallerTurn, actions: list[Action], now: float) -> None:
        """Take speech over ours for an interruption: the reply is withdrawn, its rest is never said."""
        caller.over = None
        actions += self._composer.withdraw()
        actions += self._voice.stop(self.conversation.turns, now)
        self._ending = self._end_by = None

    def _is_aside(self, text: str) -> bool:
        return not text or self._policy.is_backchannel(text)

    def _go_on(self, caller: CallerTurn, over: Turn, text: str) -> None:
        """Take speech over ours for an aside: keep its words, and go on from the word where we stopped."""
        caller.turn.input = TurnInput.ASIDE
        caller.turn.transcript = text
        self._caller = None
        self._turn = over
        self._fillers.rest()
        self._reprompts.interrupted()
        self._voice.resume()

    def _decide(self, now: float) -> None:
        """Note that it is our turn: from here on every millisecond is ours, and too many of them are filled."""
        self._composer.decided_at = now
        self._fillers.watch(now)

    def _open(self, kind: TurnInput, started_ms: int = 0) -> None:
        # Not behind ``_turn``, which after an aside is an older one.
        self._turn = self.conversation.open(len(self.conversation.turns), kind, started_ms)

    def _stop_talking(self, now: float, actions: list[Action]) -> None:
        """Cancel the reply and clear what is still to be heard."""
        if self._caller is not None:
            # The caller goes on while we still wait for the words: they belong to the turn that they came from.
            self._unfinished[self._caller.turn.number] = self._caller
            self._caller = None
        actions += self._composer.withdraw()
        self._fillers.rest()
        actions += self._voice.stop(self.conversation.turns, now)

    def _learn(self, outcome: Transcribed | EngineFailed, now: float, actions: list[Action]) -> None:
        """Take the transcriber's word, for the turn that is open or for one that was overtaken."""
        if self._caller is not None and self._caller.turn.number == outcome.turn:
            caller = self._caller
            caller.learn(outcome)
            if caller.over is not None and isinstance(caller.outcome, Transcribed):
                if self._is_aside(caller.outcome.text):
                    self._endpointer.wait_ms = self._rules.aside_wait_ms
                else:
                    self._yield_floor(caller, actions, now)
            if caller.open and caller.over is None and isinstance(caller.outcome, Transcribed):
                self._consider(caller, caller.outcome.text, now, actions)
            self._answer_if_known(now, actions)
        elif (overtaken := self._unfinished.get(outcome.turn)) is not None:
            overtaken.learn(outcome)
            if isinstance(overtaken.outcome, Transcribed):
                overtaken.turn.transcript = overtaken.outcome.text

    def _consider(self, caller: CallerTurn, text: str, now: float, actions: list[Action]) -> None:
        """Decide from the words how long to wait for more, and begin the reply to them meanwhile."""
        ours = next((turn.reply for turn in reversed(self.conversation.turns) if turn.reply), "")
        wait_ms = self._rules.judge.wait_ms(text, expectation_of(ours))
        self._endpointer.wait_ms = wait_ms
        spoken_ms = len(self._utterance.audio) // BYTES_PER_MS if self._utterance is not None else 0
        worth_it = text and wait_ms <= self._rules.endpointing.hangover_ms and not self._composer.composing
        if worth_it and spoken_ms <= self._rules.speculate_up_to_ms and caller.speculations < self._rules.speculations:
            caller.speculations += 1
            caller.turn.transcript = text
            self.account(now)
            actions += self._composer.begin(caller.turn, now, held=True)

    def _answer_if_known(self, now: float, actions: list[Action]) -> None:
        caller = self._caller
        if caller is None or not caller.answerable:
            return
        assert caller.decided_at is not None
        caller.turn.timings["transcribe_ms"] = round((now - caller.decided_at) * 1000)
        if caller.over is not None:
            words = caller.outcome.text if isinstance(caller.outcome, Transcribed) else ""
            self._go_on(caller, caller.over, words)
        elif isinstance(caller.outcome, Transcribed):
            self._answer(caller.outcome.text, now, actions)
        else:
            self._fail(now)

    def _answer(self, text: str, now: float, actions: list[Action]) -> None:
        """Reply to what was understood, which may be nothing."""
        turn = self._turn
        self._caller = None
        turn.transcript = text
        self.account(now)
        if not text and not self.conversation.unanswered:
            self._fillers.rest()
            previous = self.conversation.turns[-2] if len(self.conversation.turns) > 1 else None
            if (previous and previous.interrupted) or turn.ended_ms - turn.started_ms >= self._rules.unheard_ms:
                self._announce(self._say.not_understood)
            return
        self._reprompts.understood()
        if self._policy.is_goodbye(text):
            self._ending = EndReason.GOODBYE
            self._end_by = now + END_CAP_S
        turn.timings["speculated"] = int(self._composer.composing)
        if self._composer.composing:
            self._composer.let_go(now)
        else:
            actions += self._composer.begin(turn, now)

    def _press(self, digit: str, now: float, actions: list[Action]) -> None:
        """Take a key: never an accident, so it stops us at once."""
        if self._interruptible(now):
            if not self._keypad.pressed:
                self._stop_talking(now, actions)
                self._reprompts.interrupted()
            self._keypad.press(digit, now)

    # ------------------------------------------------------------------ our side

    def _failed(self, event: EngineFailed, now: float, actions: list[Action]) -> None:
        if event.stage is Stage.TRANSCRIBE:
            self._learn(event, now, actions)
        else:
            actions += self._composer.fail(event, now)

    def _conclude(self, now: float) -> None:
        """Draw the consequences of what became of a reply."""
        result, self._composer.result = self._composer.result, None
        if result is None:
            return
        if result.failed:
            self._fail(now)
            return
        self._failures = self._failures + 1 if result.lost_phrase else 0
        if self._failures >= self._rules.max_failures:
            self._end(EndReason.FAULT, self._say.fault_goodbye, now)
        elif result.end_call:
            self._ending = self._ending or EndReason.AGENT
            self._end_by = now + END_CAP_S

    def _fail(self, now: float) -> None:
        """Apologise for an engine and go on; after ``max_failures`` in a row, take leave."""
        self._caller = None
        self._failures += 1
        if self._failures >= self._rules.max_failures:
            self._end(EndReason.FAULT, self._say.fault_goodbye, now)
        else:
            self._announce(self._say.apology if self._ending is None else self._say.time_up)

    def _announce(self, announcement: Announcement) -> None:
        """Answer with fixed words."""
        self._fillers.rest()
        self._say_fixed(announcement)

    def _say_fixed(self, announcement: Announcement) -> None:
        self._reprompts.interrupted()
        self._voice.announce(self._turn, announcement)
        self._composer.announced(self._turn)

    # ------------------------------------------------------------------ the clock's side

    def _settle(self, now: float, actions: list[Action]) -> None:
        """Do what time alone brings: keys, the limit, silence, the next frames, the end."""
        if keys := self._keypad.take(now):
            self._open(TurnInput.DTMF)
            self._decide(now)
            self._answer(" ".join(keys), now, actions)
        if self._composer.composing and self._caller is None:
            self._fillers.watch_gap(now, silent=not self._voice.audible(now))
        if (filler := self._fillers.take(now)) is not None:
            self._say_fixed(filler)
        at_rest = self.at_rest(now)
        if self._time_up_at is not None and now >= self._time_up_at and self._ending is None:
            self._time_up(now, actions, polite=at_rest)
        elif at_rest and self._ending is None:
            self._wait(now)
        actions += self._voice.due(now)
        if self._ending is not None:
            over = not self._composer.composing and self._caller is None and self._voice.settled(now)
            if over or (self._end_by is not None and now >= self._end_by):
                self._finish(self._ending, now, actions)

    def _time_up(self, now: float, actions: list[Action], *, polite: bool) -> None:
        """Take leave at the limit; whoever is speaking then may finish, but not for ever."""
        if polite or self._overtime:
            self._stop_talking(now, actions)
            self._end(EndReason.TIME_LIMIT, self._say.time_up, now)
        else:
            self._overtime = True
            self._time_up_at = now + END_CAP_S

    def _wait(self, now: float) -> None:
        """Nobody speaks: reprompt, and in the end take leave."""
        if not self._reprompts.expired(now):
            return
        self._open(TurnInput.SILENCE)
        question = self._reprompts.take()
        if question is not None:
            self._announce(question)
        else:
            self._end(EndReason.SILENCE, self._say.silence_goodbye, now)

    def _end(self, reason: EndReason, words: Announcement, now: float) -> None:
        self._caller = None
        self._ending = reason
        self._end_by = now + END_CAP_S
        self._announce(words)

    def _finish(self, reason: EndReason, now: float, actions: list[Action]) -> None:
        actions += self._composer.withdraw()
        self._voice.hang_up(now)
        self.account(now)
        self.end_reason = reason
        actions.append(HangUp(reason))
