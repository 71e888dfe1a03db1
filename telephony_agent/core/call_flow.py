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
                pause; an aside ("mm-hm", a cough,
                words to somebody else): go on from
                that word; else history cut, -> ``CALLER``
==============  =====================================  ====================================================

The floor follows from three things: ``_floor.caller`` (a turn of the caller's, until it is answered),
``_composer`` (words are being made) and ``_voice`` (words are being heard).

The end of the caller's turn is decided by ``rules.judge`` from the words, as soon as they are transcribed in the
trailing silence; a reply to them is begun at once and *held*, unless work waits for the engines already. When the turn
is over, the held reply leaves; when the caller goes on, it is withdrawn. Who goes on after the end was decided, but
before we were heard, is still in the same turn.

Ending: ``_leave`` has a reason; when the last words are settled (their marks are back, or the playout's grace is over)
the call hangs up, at the latest ``leave.CAP_S`` after the reason was given.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from telephony_agent.audio import FRAME_MS
from telephony_agent.core.call_terms import Announcement, Announcements, CallPolicy, CallRules
from telephony_agent.core.caller_turn import CallerTurn
from telephony_agent.core.composer import Composer
from telephony_agent.core.conversation import Conversation, Turn, TurnInput
from telephony_agent.core.counsel import Counsel, NoCounsel, Then
from telephony_agent.core.ear import Ear
from telephony_agent.core.endpointing import Ended, MaybeEnded, SpeechResumed, SpeechStarted
from telephony_agent.core.events import (
    Action,
    AudioHeard,
    CallBegan,
    CallerLeft,
    EndJudged,
    EndReason,
    EndRequested,
    EngineFailed,
    Event,
    HangUp,
    KeyPressed,
    LoadChanged,
    MarkHeard,
    ReplyDelta,
    ReplyFinished,
    Stage,
    Synthesized,
    Tick,
    Transcribed,
)
from telephony_agent.core.floor import Floor
from telephony_agent.core.foresight import Foresight
from telephony_agent.core.frame_clock import Frame
from telephony_agent.core.keypad import OPERATOR, Keypad
from telephony_agent.core.leave import Leave
from telephony_agent.core.patience import Fillers, Reprompts
from telephony_agent.core.voice import Voice


class CallFlow:
    """One call. Not thread-safe: the shell calls it from one place."""

    def __init__(
        self,
        rules: CallRules,
        announcements: Announcements,
        conversation: Conversation,
        policy: CallPolicy,
        counsel: Counsel | None = None,
    ) -> None:
        """Prepare a call; ``counsel`` is this call's alone."""
        self._counsel = counsel or NoCounsel()
        self._began = (0.0, 0.0)
        self._rules = rules
        self._say = announcements
        self._policy = policy
        self.conversation = conversation
        self.end_reason: EndReason | None = None
        self._voice = Voice()
        self._ear = Ear(rules, self._voice)
        self._fillers = Fillers(announcements.fillers, after_s=rules.filler_after_s, again_s=rules.filler_again_s)
        self._reprompts = Reprompts(announcements.reprompts, after_s=rules.reprompt_after_s, hold_s=rules.hold_s)
        self._composer = Composer(
            conversation, self._voice, self._fillers, self._reprompts, announcements.apology, self._counsel
        )
        self._foresight = Foresight(rules, conversation, self._composer, self._ear, self._counsel)
        self._floor = Floor(conversation)
        self._keypad = Keypad()
        self._leave = Leave(rules.max_call_s)
        self._failures = 0

    # ------------------------------------------------------------------ the two calls of the shell

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event at ``now`` (monotonic seconds); return what is to be done, in order."""
        if self.end_reason is not None:
            return []
        actions: list[Action] = []
        match event:
            case CallBegan(at):
                self._began = (at, now)
                self._leave.begin(now)
                self._floor.open(TurnInput.GREETING)
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
            case LoadChanged(busy):
                self._foresight.engines_busy = busy
            case Transcribed():
                self._learn(event, now, actions)
            case EndJudged():
                self._foresight.judged(event, self._floor.caller)
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
        times = [*self._voice.deadlines(), self._fillers.deadline, self._leave.deadline, self._keypad.deadline]
        times.append(self._undecided_until())
        if not self._leave.taking:
            times.append(self._reprompts.deadline)
        return min((time for time in times if time is not None), default=None)

    def at_rest(self, now: float) -> bool:
        """Tell whether nobody speaks and no reply is in the making."""
        busy = self._floor.caller or self._composer.composing or self._keypad.pressed or self._ear.in_utterance
        return not busy and not self._voice.audible(now)

    def account(self, now: float) -> list[Turn]:
        """Return the turns with what was heard of each by ``now``: the call's one ledger."""
        self._voice.account(self.conversation.turns, now)
        return self.conversation.turns

    # ------------------------------------------------------------------ the caller's side: hearing

    def _hear(self, event: AudioHeard, now: float, actions: list[Action]) -> None:
        for signal in self._ear.hear(event, now):
            caller = self._floor.speaking
            match signal:
                case SpeechStarted():
                    self._reprompts.interrupted()
                case MaybeEnded():
                    if caller is not None:
                        self._transcribe(caller, signal, actions)
                case SpeechResumed():
                    if caller is not None:
                        caller.resume()
                        actions += self._composer.withdraw()
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
        ours = (self._composer.composing and not self._composer.holding) or self._voice.audible(now)
        if self._floor.speaking is None and self._ear.wants_floor(over_ours=ours) and self._interruptible(now):
            self._take_floor(now, actions)

    def _transcribe(self, caller: CallerTurn, utterance: MaybeEnded, actions: list[Action]) -> None:
        """Ask for the words during the trailing silence, and wait for them rather than for the silence."""
        actions.append(caller.transcribe(utterance))
        if caller.over is None:
            self._ear.wait(self._rules.judge.unknown_ms)

    def _interruptible(self, now: float) -> bool:
        """Tell whether the caller may take the floor; when the call is ending for good, no longer."""
        return not self._leave.taking or (self._leave.reason is EndReason.AGENT and self._voice.audible(now))

    # ------------------------------------------------------------------ the caller's side: the floor

    def _take_floor(self, now: float, actions: list[Action]) -> None:
        """Open a turn of the caller's. Over our speech we pause at once, but don't give up what we were saying yet."""
        over = self._floor.turn if self._voice.audible(now) else None
        protected = over is not None and self._policy.is_protected(self._voice.saying(now))
        if over is not None:
            self._fillers.rest()
            actions += self._voice.pause(now)
        else:
            self._stop_talking(now, actions)
            self._leave.take_back()
        self.account(now)
        started_ms = self._ear.started_ms
        caller = self._floor.go_on(started_ms, self._rules.merge_ms) if over is None else None
        caller = caller or self._floor.take(started_ms, over=over, protected=protected)
        if self._ear.utterance is not None:
            self._transcribe(caller, self._ear.utterance, actions)

    def _weigh(self, frame: Frame, actions: list[Action], now: float) -> None:
        """Give up what we were saying when speech over it has lasted too long for an aside."""
        caller = self._floor.speaking
        if caller is None or caller.over is None or caller.protected:
            return
        if frame.timestamp_ms - caller.turn.started_ms > self._rules.aside_up_to_ms:
            self._yield_floor(caller, actions, now)

    def _yield_floor(self, caller: CallerTurn, actions: list[Action], now: float) -> None:
        """Take speech over ours for an interruption: the reply is withdrawn, its rest is never said."""
        caller.over = None
        actions += self._composer.withdraw()
        actions += self._voice.stop(self.conversation.turns, now)
        self._leave.take_back()

    def _go_on(self, caller: CallerTurn, over: Turn) -> None:
        """Take speech over ours for an aside: keep its words, and go on from the word where we stopped."""
        self._floor.set_aside(caller, over)
        self._fillers.rest()
        self._reprompts.interrupted()
        self._voice.resume()

    def _undecided_until(self) -> float | None:
        """Return when we go on though the words over ours are still unknown."""
        since = self._floor.undecided_since()
        return None if since is None else since + self._rules.aside_unknown_s

    def _decide(self, now: float) -> None:
        """Note that it is our turn: from here on every millisecond is ours, and too many of them are filled."""
        self._composer.decided_at = now
        self._fillers.watch(now)

    def _stop_talking(self, now: float, actions: list[Action]) -> None:
        """Cancel the reply and clear what is still to be heard."""
        self._floor.overtake()
        actions += self._composer.withdraw()
        self._fillers.rest()
        actions += self._voice.stop(self.conversation.turns, now)

    # ------------------------------------------------------------------ the caller's side: understanding

    def _learn(self, outcome: Transcribed | EngineFailed, now: float, actions: list[Action]) -> None:
        """Take the transcriber's word, for the turn that is open or for one that was overtaken."""
        caller = self._floor.caller
        if caller is not None and caller.turn.number == outcome.turn:
            caller.learn(outcome)
            if caller.over is not None and caller.words is not None:
                if self._is_aside(caller.words):
                    self._ear.wait(self._rules.aside_wait_ms)
                else:
                    self._yield_floor(caller, actions, now)
            if caller.open and caller.over is None and caller.words is not None and not self._not_for_us(caller.words):
                self.account(now)
                actions += self._foresight.consider(caller, caller.words, now, self._date(now))
            self._answer_if_known(now, actions)
        elif (overtaken := self._floor.left_behind(outcome.turn)) is not None:
            overtaken.learn(outcome)
            if overtaken.words is not None:
                overtaken.turn.transcript = overtaken.words
                self._reconsider(overtaken, overtaken.words, now, actions)

    def _is_aside(self, words: str) -> bool:
        return not words or self._policy.is_aside(words)

    def _not_for_us(self, words: str) -> bool:
        """Tell whether a caller who has asked us to wait speaks to somebody else meanwhile."""
        return self._reprompts.holding and self._is_aside(words)

    def _reconsider(self, caller: CallerTurn, words: str, now: float, actions: list[Action]) -> None:
        """Stop after all for words that came too late: we had gone on, and they were an interruption."""
        newest = caller.turn is self.conversation.turns[-1] and self._floor.caller is None
        if not newest or caller.turn.input is not TurnInput.ASIDE or self._is_aside(words):
            return
        self._stop_talking(now, actions)
        caller.turn.input = TurnInput.SPEECH
        self._floor.turn = caller.turn
        self._decide(now)
        self._answer(words, now, actions)

    def _answer_if_known(self, now: float, actions: list[Action]) -> None:
        caller = self._floor.caller
        if caller is None or not caller.answerable:
            return
        assert caller.decided_at is not None
        caller.turn.timings["transcribe_ms"] = round((now - caller.decided_at) * 1000)
        if caller.over is not None:
            self._go_on(caller, caller.over)
        elif caller.words is not None:
            self._answer(caller.words, now, actions)
        else:
            self._fail(now)

    def _answer(self, text: str, now: float, actions: list[Action]) -> None:
        """Reply to what was understood, which may be nothing."""
        turn = self._floor.turn
        self._floor.answer()
        turn.transcript = text
        self.account(now)
        if self._not_for_us(text):
            actions += self._composer.withdraw()
            self._counsel.withdraw(turn.number)
            self._fillers.rest()
            turn.input = TurnInput.ASIDE
            return
        if not text and not self.conversation.unanswered:
            self._fillers.rest()
            self._counsel.withdraw(turn.number)
            previous = self.conversation.turns[-2] if len(self.conversation.turns) > 1 else None
            if (previous and previous.interrupted) or turn.ended_ms - turn.started_ms >= self._rules.unheard_ms:
                self._announce(self._say.not_understood)
            return
        self._reprompts.understood(hold=self._policy.asks_to_wait(text))
        if self._policy.is_goodbye(text):
            self._leave.take(EndReason.GOODBYE, now)
        turn.timings["speculated"] = int(self._composer.composing)
        if self._composer.composing:
            self._composer.let_go(now)
        else:
            actions += self._foresight.reply(turn, text, now, self._date(now))

    def _date(self, now: float) -> datetime:
        """Return a moment of the call by the calendar."""
        at, began = self._began
        return datetime.fromtimestamp(at + now - began, UTC)

    def _press(self, digit: str, now: float, actions: list[Action]) -> None:
        """Take a key: never an accident, so it stops us at once."""
        if self._interruptible(now):
            expects = self._foresight.expects()
            if not self._keypad.pressed:
                self._stop_talking(now, actions)
                self._reprompts.interrupted()
            self._keypad.press(digit, expects, now)

    def _keyed(self, keys: str, now: float, actions: list[Action]) -> None:
        """Answer keys: a lone ``0`` asks for a person."""
        self._floor.open(TurnInput.DTMF)
        self._decide(now)
        words = self._keypad.words(keys)
        if words != OPERATOR:
            self._answer(words, now, actions)
        elif self._say.transfer is None:
            self._answer(self._policy.person_request, now, actions)
        else:
            self._floor.turn.transcript = keys
            self._end(EndReason.TRANSFER, self._say.transfer, now)

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
        elif result.then is Then.TRANSFER and self._say.transfer is not None:
            self._leave.take(EndReason.TRANSFER, now)
        elif result.end_call or result.then is not Then.GO_ON:
            self._leave.take(self._leave.reason or EndReason.AGENT, now)

    def _fail(self, now: float) -> None:
        """Apologise for an engine and go on; after ``max_failures`` in a row, take leave."""
        self._floor.answer()
        self._failures += 1
        if self._failures >= self._rules.max_failures:
            self._end(EndReason.FAULT, self._say.fault_goodbye, now)
        else:
            self._announce(self._say.time_up if self._leave.taking else self._say.apology)

    def _announce(self, announcement: Announcement) -> None:
        """Answer with fixed words."""
        self._fillers.rest()
        self._say_fixed(announcement)

    def _say_fixed(self, announcement: Announcement) -> None:
        self._reprompts.interrupted()
        self._voice.say(self._floor.turn, announcement.text, announcement.audio)
        self._composer.announced(self._floor.turn, announcement.text)

    # ------------------------------------------------------------------ the clock's side

    def _settle(self, now: float, actions: list[Action]) -> None:
        """Do what time alone brings: keys, the limit, silence, the next frames, the end."""
        if keys := self._keypad.take(now):
            self._keyed(keys, now, actions)
        self._stop_wondering(now)
        if self._composer.composing and self._floor.caller is None:
            self._fillers.watch_gap(now, silent=not self._voice.audible(now))
        if (filler := self._fillers.take(now)) is not None:
            self._say_fixed(filler)
        at_rest = self.at_rest(now)
        if self._leave.time_is_up(now):
            if at_rest or not self._leave.grant_overtime(now):
                self._stop_talking(now, actions)
                self._end(EndReason.TIME_LIMIT, self._say.time_up, now)
        elif at_rest and not self._leave.taking:
            self._wait(now)
        actions += self._voice.due(now)
        if self._leave.reason is not None:
            over = not self._composer.composing and self._floor.caller is None and self._voice.settled(now)
            if over or self._leave.overdue(now):
                self._finish(self._leave.reason, now, actions)

    def _stop_wondering(self, now: float) -> None:
        """Go on with what we were saying when the words over it take too long to come."""
        until, caller = self._undecided_until(), self._floor.caller
        if until is not None and now >= until and caller is not None and caller.over is not None:
            self._floor.leave_behind(caller)
            self._go_on(caller, caller.over)

    def _wait(self, now: float) -> None:
        """Nobody speaks: reprompt, and in the end take leave."""
        if not self._reprompts.expired(now):
            return
        self._floor.open(TurnInput.SILENCE)
        question = self._reprompts.take()
        if question is not None:
            self._announce(question)
        else:
            self._end(EndReason.SILENCE, self._say.silence_goodbye, now)

    def _end(self, reason: EndReason, words: Announcement, now: float) -> None:
        self._floor.answer()
        self._leave.take(reason, now)
        self._announce(words)

    def _finish(self, reason: EndReason, now: float, actions: list[Action]) -> None:
        actions += self._composer.withdraw()
        self._voice.hang_up(now)
        self.account(now)
        self._counsel.close(self.conversation.heard_before(len(self.conversation.turns)))
        self.end_reason = reason
        actions.append(HangUp(reason))
