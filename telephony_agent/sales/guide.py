"""The conversation guide: decides, turn by turn, what a small model can't be trusted with; the model words the rest.

Theory of operation
-------------------
``take`` gets the caller's words of a turn, and what of our words was heard before them, and returns ``Advice``: fixed
words to say (and whether the call then ends or is handed over), or nothing but a note, with which the model words the
reply. The first rule that applies decides:

====================================  =============================================  ==============
the caller                            we say                                         then
====================================  =============================================  ==============
wants no more calls                   the opt-out's confirmation                     end
isn't whom we wanted                  an apology                                     end
refuses a third time                  goodbye                                        end
wants a person, and there is one      the transfer                                   transfer
may want no more calls, or may not    whether we shall take them off our list        go on
asks whether we are a machine         that we are                                    go on
hasn't heard who and what we are      the disclosure                                 go on
wants a person, and there is none     when a colleague may call, or what to tell;    go on
                                      once that is told: that nobody is free yet
asks whether the call is recorded     the truth                                      go on
denies what was read back             a request to say it again, or to key it in     go on
gives a number, an address, a time    the read-back                                  go on
agrees to a time that was read back   that it is agreed                              go on
answers what concludes the call       that it is noted, or which time suits instead  go on
anything else                         the model's words, with a note                 go on
====================================  =============================================  ==============

All that the guide knows is ``state``, which never changes but is replaced. A turn is taken again, with more words, when
the caller goes on after a pause: then the turn before is undone first. So nothing that was said only in a first guess
stays behind. What a caller says is data: it changes the state by these rules and by nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from telephony_agent.sales.disposition import Findings
from telephony_agent.sales.guide_state import MAX_REMOVALS, Advice, GuideState, Setting, Then
from telephony_agent.sales.leave_taking import may_end
from telephony_agent.sales.playbook_parts import Action, names_ai
from telephony_agent.sales.read_back import TIMES, Heard, ReadBack, is_settled
from telephony_agent.sales.reply_check import Fault, Sources, Verdict
from telephony_agent.sales.rulebook import Rulebook
from telephony_agent.sales.sales_phrases import Objection, SalesPhrases, Signal
from telephony_agent.sales.slots import SlotState
from telephony_agent.sales.tool_law import Ruling, rule_on, settle_proposal
from telephony_agent.sales.tools import BUILT_IN
from telephony_agent.sales.values import SlotName, slot_named
from telephony_agent.sales.words import plain, sentences, with_notice

_SHORT_ANSWER = 5
_GOES_ON = "The call goes on: they haven't taken leave, and nothing is settled. Answer them."
_REPLY_CHARACTERS = 600
"""More than anybody listens to in one go: about forty seconds."""
_LATER = (Action.CALLBACK, Action.TAKE_MESSAGE)
"""What a caller may get who wants a person when there is none."""
_PARTING = frozenset({Signal.PARTING, Signal.REFUSAL, Signal.CALLBACK})
"""What the caller wants that is a reason to take leave."""
_CALLS_FOR_ANSWER = (SlotName.CALLBACK, SlotName.MESSAGE)


class Guide:
    """The guide of one call. Not thread-safe."""

    def __init__(self, setting: Setting, rules: Rulebook) -> None:
        """``rules`` are those of the setting's playbook."""
        playbook = setting.playbook
        self._set = setting
        self._phrases = rules.phrases
        self._questions = rules.questions
        self._say = rules.say
        self._instead_of_a_person = next((action for action in playbook.calls_to_action if action in _LATER), None)
        notice = playbook.recording_notice or rules.phrases.say.recording_notice
        self._notice = notice if setting.recorded else ""
        self._check = rules.check
        lead = setting.lead
        actions = {SlotName.MEETING: Action.BOOK_MEETING, SlotName.CALLBACK: Action.CALLBACK}
        agreeable = tuple(slot for slot, action in actions.items() if action in playbook.calls_to_action)
        self._read_back = ReadBack(setting, self._questions, self._say, agreeable)
        known = f"{lead.name}, {lead.company}, {lead.email}, {lead.notes}"
        self.state = self._before = GuideState(
            setting=next(iter(agreeable), SlotName.MEETING), sources=Sources().plus(known)
        )
        self._turn: int | None = None
        self._unsure_in: int | None = None
        self._spoken = 0

    @classmethod
    def of(cls, setting: Setting, phrases: SalesPhrases) -> Self:
        """Return the guide of a call that shares its rules with no other."""
        return cls(setting, Rulebook.of(setting.playbook, phrases))

    # ------------------------------------------------------------------ the calls of the shell

    def take(self, turn: int, words: str, heard: str, now: datetime) -> Advice:
        """Take the caller's words, or keys as digits; the same ``turn`` again replaces what it said before.

        Args:
            turn: the turn's number.
            words: what the caller said.
            heard: what of our words was heard since the caller's last turn.
            now: the present, aware.
        """
        if turn == self._turn:
            self.state = self._before
        self._turn, self._before = turn, self.state
        self._spoken = 0
        self._hear_ours(heard)
        return self._answer(words, heard, now)

    def withdraw(self, turn: int) -> None:
        """Take a turn back, as if nothing had been said: it was no turn after all."""
        if turn == self._turn:
            self.state, self._turn = self._before, None

    def close(self, heard: str) -> None:
        """Note what of our last words was heard when the call ended."""
        self._hear_ours(heard)

    def call_tool(self, turn: int, name: str, arguments: Mapping[str, Any], now: datetime) -> Ruling | None:
        """Rule on a built-in tool that the model calls in answering a turn; None: it is none of them."""
        if name not in BUILT_IN:
            return None
        if name == "end_call" and name in self._set.playbook.tools and not self.may_end(turn, ""):
            return Ruling(result=_GOES_ON)
        self.state, ruling = rule_on(name, arguments, self.state, self._set, self._say, now)
        return ruling

    def may_end(self, turn: int, reply: str) -> bool:
        """Tell whether the model, which wants to, may end the call behind its reply to a turn."""
        return may_end(self.state, self._questions, self._set.lead, reply)

    def tool_returned(self, turn: int, result: str) -> None:
        """Take what a tool returned as a source of what may be said, even if the turn is taken once more."""
        self._before, self.state = (
            replace(state, sources=state.sources.plus(result, vouched=True)) for state in (self._before, self.state)
        )

    def check(self, turn: int, phrase: str) -> Verdict:
        """Judge a phrase of the model's before it is spoken.

        At most one in a turn is replaced, others are dropped; and a reply has an end, whatever the model says.
        """
        verdict = self._judge(turn, phrase)
        self._spoken += len(verdict.text or "")
        return replace(verdict, text=None, fault=Fault.LENGTH) if self._spoken > _REPLY_CHARACTERS else verdict

    def _judge(self, turn: int, phrase: str) -> Verdict:
        verdict = self._check.check(phrase, self.state.sources)
        if verdict.text != self._say["unsure"]:
            return verdict
        if self._unsure_in == turn:
            return replace(verdict, text=None)
        self._unsure_in = turn
        return verdict

    def nobody_came(self) -> str:
        """Take note that no person took the call; return what the caller is told, which offers what they may have.

        From here on nobody is rung any more in this call.
        """
        callback_wanted = self.state.callback_wanted or self._instead_of_a_person is Action.CALLBACK
        self.state = replace(self.state, nobody_came=True, callback_wanted=callback_wanted)
        self._turn = None
        return self._no_person().say

    @property
    def has_person(self) -> bool:
        """Whether a caller who asks for a person is connected with one."""
        return self._set.transfers and not self.state.nobody_came

    @property
    def to_ask(self) -> tuple[str, ...]:
        """What is still to be found out, in order: neither asked, nor volunteered, nor known of the lead."""
        still_open = self._questions.open(self.state.slots, self.state.asked, self._set.lead)
        return tuple(slot_named(question.slot) for question in still_open)

    @property
    def findings(self) -> Findings:
        """What the disposition depends on."""
        state, slots = self.state, self.state.slots
        return Findings(
            caller_turns=state.turns,
            opted_out=state.opted_out,
            wrong_number=state.wrong_number,
            meeting_confirmed=is_settled(slots, SlotName.MEETING),
            meeting_heard=slots.moment(SlotName.MEETING) is not None,
            callback_wanted=state.callback_wanted or any(slots[slot].value for slot in _CALLS_FOR_ANSWER),
            refusals=state.refusals,
            left=state.left,
            fit=self._questions.fit(slots),
            concluded=self._questions.conclusion(slots),
        )

    # ------------------------------------------------------------------ our side

    def _hear_ours(self, heard: str) -> None:
        state = self.state
        asked = self._questions.asked_by(heard)
        self.state = replace(
            state,
            disclosed=state.disclosed or self._discloses(heard),
            asked=state.asked | {asked} if asked else state.asked,
            setting=SlotName(asked) if asked in TIMES else state.setting,
        )

    def _discloses(self, heard: str) -> bool:
        """Tell whether words of ours say in full who is calling, that it is an AI, and that the call is recorded."""
        spoken = f" {plain(heard)} "
        named = f" {plain(self._set.playbook.company)} " in spoken
        return names_ai(heard) and named and (not self._notice or f" {plain(self._notice)} " in spoken)

    # ------------------------------------------------------------------ the caller's side

    def _answer(self, words: str, heard: str, now: datetime) -> Advice:
        if not plain(words):
            return self._ending() if self.state.ending else Advice(note=self._read_back.note(self.state))
        signals = self._phrases.signals_in(words)
        if self._accepts_removal(words, heard, signals):
            signals |= {Signal.OPT_OUT}
        before = self.state
        self.state = self._noted(words, heard, signals)
        if self.state.ending:
            return self._ending()
        self.state, advice = settle_proposal(self.state, self._say, heard, signals)
        turn = Heard(words, heard, signals, now)
        if advice is None:
            self.state, advice = self._read_back.answer(self.state, turn)
        if advice is None:
            self.state, advice = self._read_back.hear(self.state, turn, self._before.asking)
        self._count_refusal(before, signals, heard)
        if self.state.left:
            return self._ending()
        fixed = self._fixed(signals)
        if fixed is not None:
            self._postpone(before)
            return fixed
        if advice is None and self.state.due is not None:
            self.state, advice = self._read_back.read_back(self.state, self.state.due)
        return advice or Advice(note=self._read_back.note(self.state))

    def _postpone(self, before: GuideState) -> None:
        """Keep for a later turn what was begun now, or what these words left unanswered: a read-back, a question."""
        state = self.state
        asked = before.reading_back
        unanswered = asked if asked and state.slots[asked].state is SlotState.HEARD else None
        just_asked = state.asked - self._before.asked
        self.state = replace(
            state,
            due=state.reading_back or unanswered or state.due,
            reading_back=None,
            asked=state.asked - {slot for slot in just_asked if state.slots[slot].state is SlotState.EMPTY},
        )

    def _accepts_removal(self, words: str, heard: str, signals: frozenset[Signal]) -> bool:
        """Tell whether the caller says yes to our offer to call no more; to the model's, yes and no more than that."""
        if Signal.NO in signals or not self._phrases.offers_removal(heard):
            return False
        if self.state.offering_removal:
            return bool({Signal.YES, Signal.DOUBT} & signals)
        return Signal.YES in signals and len(plain(words).split()) <= _SHORT_ANSWER

    def _noted(self, words: str, heard: str, signals: frozenset[Signal]) -> GuideState:
        """Return the state with what the caller wants, whatever else they say."""
        state = self.state
        objections = self._phrases.objections_in(words)
        number_denied = state.reading_back is SlotName.PHONE and Signal.OPT_OUT not in signals
        return replace(
            state,
            turns=state.turns + 1,
            asking=None,
            sources=state.sources.plus(words),
            offering_removal=False,
            parting=bool(_PARTING & signals)
            or Objection.NO_TIME in objections
            or (Signal.NO in signals and self._phrases.asks_for_more(heard)),
            objections=state.objections | objections,
            opted_out=state.opted_out or Signal.OPT_OUT in signals,
            wrong_number=state.wrong_number or (Signal.WRONG_NUMBER in signals and not number_denied),
            transfer_wanted=state.transfer_wanted or Signal.PERSON in signals,
            callback_wanted=state.callback_wanted
            or Signal.CALLBACK in signals
            or (Signal.PERSON in signals and not self.has_person and self._instead_of_a_person is Action.CALLBACK),
        )

    def _ending(self) -> Advice:
        if self.state.opted_out:
            return Advice(self._say["opt_out"], Then.END)
        return Advice(self._say["wrong_number" if self.state.wrong_number else "leave"], Then.END)

    def _fixed(self, signals: frozenset[Signal]) -> Advice | None:
        """Return the fixed words that go before everything but an end."""
        if Signal.PERSON in signals and self.has_person:
            return Advice(self._set.playbook.transfer, Then.TRANSFER)
        if Signal.DOUBT in signals and self.state.removals_offered < MAX_REMOVALS:
            return self._offer_removal()
        if Signal.ROBOT in signals:
            return Advice(self._say["robot"])
        if not self.state.disclosed:
            return Advice(with_notice(self._say["disclosure"], self._notice))
        if Signal.PERSON in signals:
            return self._no_person()
        if Signal.RECORDING in signals:
            return Advice(self._say["recorded" if self._set.recorded else "not_recorded"])
        return None

    def _offer_removal(self) -> Advice:
        """Ask whether they want no more calls; whoever hasn't heard who we are hears that before it."""
        state = self.state
        self.state = replace(state, removals_offered=state.removals_offered + 1, offering_removal=True)
        who = with_notice(self._say["disclosure"], self._notice)
        told = [] if state.disclosed else [sentence for sentence in sentences(who) if not sentence.endswith("?")]
        return Advice(" ".join([*told, self._say["removal"]]))

    def _no_person(self) -> Advice:
        """Offer what the playbook offers instead of a person; to who has accepted it, only say how things stand."""
        slots = self.state.slots
        match self._instead_of_a_person:
            case Action.CALLBACK if is_settled(slots, SlotName.CALLBACK):
                return Advice(self._say["nobody_yet"])
            case Action.TAKE_MESSAGE if slots[SlotName.MESSAGE].value:
                return Advice(self._say["nobody_yet"])
            case Action.CALLBACK:
                self.state = replace(self.state, asking=SlotName.CALLBACK, setting=SlotName.CALLBACK)
                return Advice(self._set.playbook.untaken if self.state.nobody_came else self._say["no_person"])
            case Action.TAKE_MESSAGE:
                self.state = replace(self.state, asking=SlotName.MESSAGE)
                return Advice(self._say["take_message"])
            case _:
                return Advice(self._say["nobody"])

    def _count_refusal(self, before: GuideState, signals: frozenset[Signal], heard: str) -> None:
        """Count a refusal: in so many words, or "no" to an offer. Who names another time doesn't refuse."""
        if Signal.CALLBACK in signals or self.state.slots != before.slots:
            return
        declined = Signal.NO in signals and self._phrases.is_offer(heard) and before.reading_back is None
        if Signal.REFUSAL in signals or declined:
            self.state = replace(self.state, refusals=self.state.refusals + 1, parting=True)
