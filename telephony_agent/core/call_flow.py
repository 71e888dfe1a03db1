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
``_composer`` (words are being made) and ``_voice`` (words are being heard). Of what happens there, speech over ours is
``overlap``'s, what the words lead to ``understanding``'s, whoever answered a call of ours ``meeting``'s, and our
fixed words ``our_side``'s.

The end of the caller's turn is decided by ``rules.judge`` from the words, as soon as they are transcribed in the
trailing silence; a reply to them is begun at once and *held*, unless work waits for the engines already. When the turn
is over, the held reply leaves; when the caller goes on, it is withdrawn. Who goes on after the end was decided, but
before we were heard, is still in the same turn.

A call may have several streams, one after the other (the line broke; the caller was with a person meanwhile). It is
over for each of them, and a ``CallBegan`` with another opening lets it go on, with all that was said and learnt.

Ending: ``leave`` has a reason; when the last words are settled (their marks are back, or the playout's grace is over)
the call hangs up, at the latest ``leave.CAP_S`` after the reason was given.
"""

from __future__ import annotations

from typing import assert_never

from telephony_agent.audio import FRAME_MS
from telephony_agent.core.call_parts import CallParts
from telephony_agent.core.call_terms import Announcements, CallPolicy, CallRules
from telephony_agent.core.caller_turn import CallerTurn
from telephony_agent.core.conversation import Conversation, Turn, TurnInput
from telephony_agent.core.counsel import Counsel, NoCounsel
from telephony_agent.core.ear import Ear
from telephony_agent.core.endpointing import Ended, MaybeEnded, SpeechResumed, SpeechStarted
from telephony_agent.core.events import (
    Action,
    AnswererJudged,
    AudioHeard,
    BeepHeard,
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
    Opening,
    ReplyDelta,
    ReplyFinished,
    Stage,
    Synthesized,
    Tick,
    ToolReturned,
    Transcribed,
)
from telephony_agent.core.floor import Floor
from telephony_agent.core.foresight import Foresight
from telephony_agent.core.keypad import OPERATOR, Keypad
from telephony_agent.core.meeting import Meeting
from telephony_agent.core.our_side import OurSide
from telephony_agent.core.overlap import Overlap
from telephony_agent.core.understanding import Understanding


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
        self.conversation = conversation
        self.end_reason: EndReason | None = None
        self._call = CallParts.make(rules, announcements, conversation, policy, counsel or NoCounsel())
        self._rules = rules
        self._say = announcements
        self._voice = self._call.voice
        self._composer = self._call.composer
        self._leave = self._call.leave
        self._answering = self._call.answering
        self._reprompts = self._call.reprompts
        self._listen_anew()

    # ------------------------------------------------------------------ the two calls of the shell

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event at ``now`` (monotonic seconds); return what is to be done, in order."""
        if self.end_reason is not None and not isinstance(event, CallBegan):
            return []
        actions = self._take(event, now)
        if self.end_reason is None:
            self._ours.conclude(now)
            actions += self._settle(now)
        return actions

    def deadline(self) -> float | None:
        """Return the time of the next ``Tick``, or None when only an event can change anything."""
        if self.end_reason is not None:
            return None
        times = [*self._voice.deadlines(), self._call.fillers.deadline, self._leave.deadline]
        times += [self._keypad.deadline, self._overlap.deadline]
        if not self._leave.taking:
            times += [self._reprompts.deadline, self._answering.deadline]
        return min((time for time in times if time is not None), default=None)

    @property
    def leaving(self) -> bool:
        """Whether the call is taking leave, or over."""
        return self._leave.taking or self.end_reason is not None

    @property
    def broken_off(self) -> bool:
        """Whether the line was lost in the middle of a talk: there is something to go on with."""
        return self.end_reason is EndReason.LINE and not self._leave.taking and not self.answered_by_machine

    @property
    def listens_for_beeps(self) -> bool:
        """Whether a beep would tell something: a call of ours, and no person has talked to us yet."""
        return self._answering.open

    @property
    def answered_by_machine(self) -> bool:
        """Whether a machine answered a call of ours, and no person did."""
        return self._answering.by_machine

    @property
    def message_left(self) -> bool:
        """Whether a mailbox has the whole of our message."""
        message = self._say.voicemail
        return message is not None and any(turn.reply_heard == message.text for turn in self.conversation.turns)

    def at_rest(self, now: float) -> bool:
        """Tell whether nobody speaks and no reply is in the making."""
        busy = self._floor.caller or self._composer.composing or self._keypad.pressed or self._ear.in_utterance
        return not busy and not self._voice.audible(now)

    def account(self, now: float) -> list[Turn]:
        """Return the turns with what was heard of each by ``now``: the call's one ledger."""
        self._call.account(now)
        return self.conversation.turns

    # ------------------------------------------------------------------ events

    def _take(self, event: Event, now: float) -> list[Action]:
        match event:
            case CallBegan():
                self._begin(event, now)
            case AudioHeard():
                return self._hear(event, now)
            case BeepHeard():
                return self._meeting.make(self._answering.beeped(), now)
            case AnswererJudged(answered_by):
                return self._meeting.make(self._answering.verdict(answered_by), now)
            case KeyPressed(digit):
                return self._press(digit, now)
            case MarkHeard(name):
                self._voice.returned(name, now)
            case CallerLeft(stopped):
                return self._finish(EndReason.CALLER if stopped else EndReason.LINE, now)
            case EndRequested(reason):
                return self._take_leave(reason, now)
            case LoadChanged(busy):
                self._foresight.engines_busy = busy
            case Transcribed():
                return self._understanding.learn(event, now)
            case EndJudged():
                self._foresight.judged(event, self._floor.caller)
            case ReplyDelta() | ReplyFinished() | Synthesized():
                return self._composer.take(event, now)
            case ToolReturned():
                return self._composer.tool_returned(event, now)
            case EngineFailed(stage=Stage.TRANSCRIBE):
                return self._understanding.learn(event, now)
            case EngineFailed():
                return self._composer.fail(event, now)
            case Tick():
                pass
            case _:
                assert_never(event)
        return []

    def _begin(self, began: CallBegan, now: float) -> None:
        """Speak first: the greeting, or what brings a caller back who comes on another stream."""
        if began.opening in (Opening.GREETING, Opening.ANSWERED):
            self._call.calendar.begin(began.at, now)
            self._leave.begin(now)
            if began.opening is Opening.ANSWERED:
                self._answering.begin(now)
            else:
                self._floor.open(TurnInput.GREETING)
        else:
            self.end_reason = None
            self._leave.take_back()
            self._reprompts.understood(hold=False)
            self._listen_anew()
            self._floor.open(TurnInput.RETURN)
        words = self._say.opening(began.opening)
        if words is not None:
            self._ours.announce(words)

    def _listen_anew(self) -> None:
        """Begin with a stream: nothing of one before it is still to be understood. What was said and learnt stays."""
        call = self._call
        self._floor = Floor(call.conversation)
        self._keypad = Keypad()
        self._ear = ear = Ear(call.rules, call.voice)
        self._foresight = Foresight(call.rules, call.conversation, call.composer, ear, call.counsel)
        self._ours = OurSide(call, self._floor)
        self._overlap = Overlap(call, self._floor, ear)
        self._meeting = Meeting(call, self._floor, self._ours)
        self._understanding = Understanding(
            call, self._floor, ear, self._foresight, self._ours, self._overlap, self._meeting
        )

    # ------------------------------------------------------------------ the caller's side

    def _hear(self, event: AudioHeard, now: float) -> list[Action]:
        actions: list[Action] = []
        for signal in self._ear.hear(event, now):
            caller = self._floor.speaking
            match signal:
                case SpeechStarted():
                    self._reprompts.interrupted()
                    self._answering.interrupted()
                case MaybeEnded():
                    if caller is not None:
                        actions.append(self._transcribe(caller, signal))
                case SpeechResumed():
                    if caller is not None:
                        caller.resume()
                        actions += self._composer.withdraw()
                case Ended(started_ms, speech_end_ms):
                    # Speech that never got the floor is an aside; its audio is dropped here.
                    if caller is not None:
                        endpoint_ms = event.frame.timestamp_ms + FRAME_MS - speech_end_ms
                        caller.decide(started_ms, speech_end_ms, endpoint_ms, now)
                        self._ours.answer_is_due(now)
                        actions += self._understanding.answer_if_known(now)
                case _:
                    assert_never(signal)
        actions += self._overlap.weigh(event.frame, now)
        ours = (self._composer.composing and not self._composer.holding) or self._voice.audible(now)
        if self._floor.speaking is None and self._ear.wants_floor(over_ours=ours) and self._interruptible(now):
            actions += self._take_floor(now)
        return actions

    def _transcribe(self, caller: CallerTurn, utterance: MaybeEnded) -> Action:
        """Ask for the words during the trailing silence, and wait for them rather than for the silence."""
        if caller.over is None:
            self._ear.wait(self._rules.judge.unknown_ms)
        return caller.transcribe(utterance)

    def _interruptible(self, now: float) -> bool:
        """Tell whether the caller may take the floor; when the call is ending for good, no longer."""
        return not self._leave.taking or (self._leave.reason is EndReason.AGENT and self._voice.audible(now))

    def _take_floor(self, now: float) -> list[Action]:
        """Open a turn of the caller's, or let him go on with the one that was just answered."""
        if self._voice.audible(now):
            actions = self._overlap.begin(now)
        else:
            actions = self._ours.stop(now)
            self._leave.take_back()
            self._call.account(now)
            started_ms = self._ear.started_ms
            if self._floor.go_on(started_ms, self._rules.merge_ms) is None:
                self._floor.take(started_ms, over=None, protected=False)
        if self._floor.caller is not None and self._ear.utterance is not None:
            actions.append(self._transcribe(self._floor.caller, self._ear.utterance))
        return actions

    def _press(self, digit: str, now: float) -> list[Action]:
        """Take a key: never an accident, so it stops us at once."""
        if not self._interruptible(now):
            return []
        actions: list[Action] = []
        expects = self._foresight.expects()
        if not self._keypad.pressed:
            actions = self._ours.stop(now)
            self._reprompts.interrupted()
        self._keypad.press(digit, expects, now)
        return actions

    def _keyed(self, keys: str, now: float) -> list[Action]:
        """Answer keys: a lone ``0`` asks for a person, as if in words where there is none to connect to."""
        self._floor.open(TurnInput.DTMF)
        self._ours.answer_is_due(now)
        words = self._keypad.words(keys)
        if words != OPERATOR:
            return self._understanding.answer(words, now)
        call, turn, request = self._call, self._floor.turn, self._call.policy.person_request
        if self._say.transfer is None or not call.counsel.has_person:
            return self._understanding.answer(request, now)
        # Said without an engine, whatever the counsel advises; but it learns of the wish, and of what was heard.
        call.account(now)
        heard = self.conversation.heard_before(turn.number)
        call.counsel.take(turn.number, request, heard, call.calendar.date(now))
        turn.transcript = keys
        self._ours.take_leave(EndReason.TRANSFER, self._say.transfer, now)
        return []

    # ------------------------------------------------------------------ the clock's side

    def _settle(self, now: float) -> list[Action]:
        """Do what time alone brings: keys, the limit, silence, the next frames, the end."""
        actions: list[Action] = []
        if keys := self._keypad.take(now):
            actions += self._keyed(keys, now)
        self._overlap.stop_wondering(now)
        self._ours.fill(now)
        actions += self._meeting.make(self._answering.due(now, quiet=self.at_rest(now)), now)
        at_rest = self.at_rest(now)
        if self._leave.time_is_up(now):
            if at_rest or not self._leave.grant_overtime(now):
                actions += self._take_leave(EndReason.TIME_LIMIT, now)
        elif at_rest and not self._leave.taking and not self._answering.waiting:
            actions += self._wait(now)
        actions += self._voice.due(now)
        if self._leave.reason is not None:
            over = not self._composer.composing and self._floor.caller is None and self._voice.settled(now)
            if over or self._leave.overdue(now):
                actions += self._finish(self._leave.reason, now)
        return actions

    def _wait(self, now: float) -> list[Action]:
        """Nobody speaks: reprompt, and in the end take leave."""
        if not self._reprompts.expired(now):
            return []
        if self._answering.suspected:
            return self._meeting.make(self._answering.silence(), now)
        self._floor.open(TurnInput.SILENCE)
        question = self._reprompts.take()
        if question is not None:
            self._ours.announce(question)
        else:
            self._ours.take_leave(EndReason.SILENCE, self._say.silence_goodbye, now)
        return []

    def _take_leave(self, reason: EndReason, now: float) -> list[Action]:
        """Break off what we were saying, and take leave for a reason from outside the talk."""
        actions = self._ours.stop(now)
        self._ours.take_leave(reason, self._say.leave(reason), now)
        return actions

    def _finish(self, reason: EndReason, now: float) -> list[Action]:
        actions = self._composer.withdraw()
        self._voice.hang_up(now)
        self._call.account(now)
        self._call.counsel.close(self.conversation.heard_before(len(self.conversation.turns)))
        self.end_reason = reason
        return [*actions, HangUp(reason)]
