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
asks whether we are a machine         that we are                                    go on
hasn't heard who and what we are      the disclosure                                 go on
wants a person, and there is none     when a colleague may call                      go on
asks whether the call is recorded     the truth                                      go on
denies what was read back             a request to say it again, or to key it in     go on
gives a number, an address, a time    the read-back                                  go on
agrees to a time that was read back   that it is agreed                              go on
anything else                         the model's words, with a note                 go on
====================================  =============================================  ==============

All that the guide knows is ``state``, which never changes but is replaced. A turn is taken again, with more words, when
the caller goes on after a pause: then the turn before is undone first. So nothing that was said only in a first guess
stays behind. What a caller says is data: it changes the state by these rules and by nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime

from telephony_agent.sales.contacts import spoken_email
from telephony_agent.sales.disposition import Findings, Fit
from telephony_agent.sales.extraction import Listening, heard_values, is_bare_answer
from telephony_agent.sales.guide_state import MAX_PUSHES, Advice, GuideState, Setting, Then
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.reply_check import ReplyCheck, Sources, Verdict
from telephony_agent.sales.sales_phrases import SalesPhrases, Signal
from telephony_agent.sales.slots import READ_BACK, SlotState
from telephony_agent.sales.spoken_numbers import digit_runs
from telephony_agent.sales.values import Authority, SlotName, Value
from telephony_agent.sales.words import plain, tokens

QUALIFICATION = (SlotName.TEAM_SIZE, SlotName.NEED, SlotName.BUDGET, SlotName.AUTHORITY, SlotName.TIMING)
"""What is to be found out, in this order; the team's size only where the playbook asks for it."""
_PHONE_FAILURES, _FAILURES = 3, 2
_SHORT_ANSWER = 5
_TIMES = (SlotName.MEETING, SlotName.CALLBACK)


class Guide:
    """The guide of one call. Not thread-safe."""

    def __init__(self, setting: Setting, phrases: SalesPhrases) -> None:
        self._set = setting
        self._phrases = phrases
        self._say = _filled(phrases, setting.playbook)
        self._check = ReplyCheck.of(setting.playbook, phrases)
        lead = setting.lead
        known = f"{lead.name}, {lead.company}, {lead.email}"
        self.state = self._before = GuideState(sources=Sources().plus(known))
        self._turn: int | None = None
        self._unsure_in: int | None = None

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
        self._hear_ours(heard)
        return self._answer(words, heard, now)

    def withdraw(self, turn: int) -> None:
        """Take a turn back, as if nothing had been said: it was no turn after all."""
        if turn == self._turn:
            self.state, self._turn = self._before, None

    def close(self, heard: str) -> None:
        """Note what of our last words was heard when the call ended."""
        self._hear_ours(heard)

    def check(self, turn: int, phrase: str) -> Verdict:
        """Judge a phrase of the model's before it is spoken; at most one in a turn is replaced, others are dropped."""
        verdict = self._check.check(phrase, self.state.sources)
        if verdict.text != self._say["unsure"]:
            return verdict
        if self._unsure_in == turn:
            return replace(verdict, text=None)
        self._unsure_in = turn
        return verdict

    @property
    def to_ask(self) -> tuple[SlotName, ...]:
        """What is still to be found out, in order: neither asked, nor volunteered, nor known of the lead."""
        return tuple(slot for slot in QUALIFICATION if self._is_open(slot))

    @property
    def findings(self) -> Findings:
        """What the disposition depends on."""
        state, slots = self.state, self.state.slots
        meeting = slots.moment(SlotName.MEETING)
        confirmed = slots[SlotName.MEETING].state is SlotState.CONFIRMED
        return Findings(
            caller_turns=state.turns,
            opted_out=state.opted_out,
            wrong_number=state.wrong_number,
            meeting_confirmed=meeting is not None and meeting.whole and confirmed,
            meeting_heard=meeting is not None,
            callback_wanted=state.callback_wanted or slots.moment(SlotName.CALLBACK) is not None,
            refusals=state.refusals,
            left=state.left,
            fit=self._fit(),
        )

    # ------------------------------------------------------------------ our side

    def _hear_ours(self, heard: str) -> None:
        state = self.state
        name = self._phrases.asked_by(heard)
        asked = SlotName(name) if name else None
        self.state = replace(
            state,
            disclosed=state.disclosed or self._discloses(heard),
            asked=state.asked | {asked} if asked else state.asked,
            setting=asked if asked in _TIMES else state.setting,
        )

    def _discloses(self, heard: str) -> bool:
        """Tell whether words of ours say in full who is calling, and that it is an AI."""
        spoken = f" {plain(heard)} "
        machine = any(
            f" {word} " in spoken for word in ("ai", "ia", "artificial intelligence", "inteligencia artificial")
        )
        return machine and f" {plain(self._set.playbook.company)} " in spoken

    # ------------------------------------------------------------------ the caller's side

    def _answer(self, words: str, heard: str, now: datetime) -> Advice:
        if not plain(words):
            return self._ending() if self.state.ending else Advice(note=self._note())
        signals = self._phrases.signals_in(words)
        if self._accepts_removal(words, heard, signals):
            signals |= {Signal.OPT_OUT}
        before = self.state
        self.state = self._noted(words, signals)
        if self.state.ending:
            return self._ending()
        advice = self._answer_read_back(words, heard, signals, now)
        if advice is None:
            advice = self._hear_values(words, heard, signals, now)
        self._count_refusal(before, signals, heard)
        if self.state.left:
            return self._ending()
        fixed = self._fixed(signals)
        if fixed is not None:
            self._postpone_read_back(before)
            return fixed
        if advice is None and self.state.due is not None:
            advice = self._read_back(self.state.due)
        return advice or Advice(note=self._note())

    def _postpone_read_back(self, before: GuideState) -> None:
        """Keep for a later turn a read-back that was begun now, or that these words left unanswered."""
        state = self.state
        asked = before.reading_back
        unanswered = asked if asked and state.slots[asked].state is SlotState.HEARD else None
        self.state = replace(state, due=state.reading_back or unanswered or state.due, reading_back=None)

    def _accepts_removal(self, words: str, heard: str, signals: frozenset[Signal]) -> bool:
        """Tell whether the caller says yes, and no more than that, to our offer to call no more."""
        agrees = Signal.YES in signals and Signal.NO not in signals and len(plain(words).split()) <= _SHORT_ANSWER
        return agrees and self._phrases.offers_removal(heard)

    def _noted(self, words: str, signals: frozenset[Signal]) -> GuideState:
        """Return the state with what the caller wants, whatever else they say."""
        state = self.state
        number_denied = state.reading_back is SlotName.PHONE and Signal.OPT_OUT not in signals
        return replace(
            state,
            turns=state.turns + 1,
            asking=None,
            sources=state.sources.plus(words),
            objections=state.objections | self._phrases.objections_in(words),
            opted_out=state.opted_out or Signal.OPT_OUT in signals,
            wrong_number=state.wrong_number or (Signal.WRONG_NUMBER in signals and not number_denied),
            transfer_wanted=state.transfer_wanted or Signal.PERSON in signals,
            callback_wanted=state.callback_wanted
            or Signal.CALLBACK in signals
            or (Signal.PERSON in signals and not self._set.can_transfer),
        )

    def _ending(self) -> Advice:
        if self.state.opted_out:
            return Advice(self._say["opt_out"], Then.END)
        return Advice(self._say["wrong_number" if self.state.wrong_number else "leave"], Then.END)

    def _fixed(self, signals: frozenset[Signal]) -> Advice | None:
        """Return the fixed words that go before everything but an end."""
        if Signal.PERSON in signals and self._set.can_transfer:
            return Advice(self._set.playbook.transfer, Then.TRANSFER)
        if Signal.ROBOT in signals:
            return Advice(self._say["robot"])
        if not self.state.disclosed:
            return Advice(self._say["disclosure"])
        if Signal.PERSON in signals:
            self.state = replace(self.state, asking=SlotName.CALLBACK, setting=SlotName.CALLBACK)
            return Advice(self._say["no_person"])
        if Signal.RECORDING in signals:
            return Advice(self._say["recorded" if self._set.recorded else "not_recorded"])
        return None

    def _count_refusal(self, before: GuideState, signals: frozenset[Signal], heard: str) -> None:
        """Count a refusal: in so many words, or "no" to an offer. Who names another time doesn't refuse."""
        if Signal.CALLBACK in signals or self.state.slots != before.slots:
            return
        declined = Signal.NO in signals and self._phrases.is_offer(heard) and before.reading_back is None
        if Signal.REFUSAL in signals or declined:
            self.state = replace(self.state, refusals=self.state.refusals + 1)

    # ------------------------------------------------------------------ slots

    def _answer_read_back(self, words: str, heard: str, signals: frozenset[Signal], now: datetime) -> Advice | None:
        """Settle a read-back by the caller's answer; None if there was none, or they spoke of something else."""
        slot, slots = self.state.reading_back, self.state.slots
        if slot is None:
            return None
        values = self._values(words, slot, signals, now)
        self.state = replace(self.state, reading_back=None)
        if slot in values and slots.hear({slot: values[slot]}) != slots:
            self.state = replace(self.state, slots=slots.count_failure(slot))
            return None
        if Signal.NO in signals:
            return self._failed(slot)
        if Signal.YES not in signals:
            return None
        if plain(slots.read_back(slot)) not in plain(heard):
            return self._read_back(slot)
        self.state = replace(self.state, slots=slots.confirm(slot))
        if slot in _TIMES:
            return Advice(self._say["booked" if slot is SlotName.MEETING else "call_agreed"])
        return Advice(note=self._note(f"The {slot} is confirmed."))

    def _hear_values(self, words: str, heard: str, signals: frozenset[Signal], now: datetime) -> Advice | None:
        """Take the values in the caller's words; read back those that have to be."""
        name = self._phrases.asked_by(heard)
        asked = SlotName(name) if name else self._before.asking
        before = self.state.slots
        values = self._values(words, asked, signals, now)
        slots = before.hear(values)
        sources = self.state.sources
        for slot in values:
            sources = sources.plus(slots.read_back(slot), agreed=slot is SlotName.BUDGET)
        self.state = replace(self.state, slots=slots, sources=sources)
        for slot in (SlotName.EMAIL, SlotName.PHONE, *_TIMES):
            if slot in values and self.state.slots[slot] != before[slot] and self._complete(slot):
                return self._failed(slot) if self._is_past(slot, now) else self._read_back(slot)
        if asked is not None and asked not in values and _misheard(asked, words):
            return self._failed(asked)
        return None

    def _values(
        self, words: str, asked: SlotName | None, signals: frozenset[Signal], now: datetime
    ) -> Mapping[SlotName, Value]:
        listening = Listening(
            now=now,
            zone=self._set.zone,
            phone=self._set.lead.phone,
            asked=asked,
            wants_callback=Signal.CALLBACK in signals,
            setting=self.state.setting,
        )
        return heard_values(words, listening)

    def _complete(self, slot: SlotName) -> bool:
        """Whether there is enough to read back: of a time, both the day and the hour."""
        moment = self.state.slots.moment(slot)
        return slot in READ_BACK and (moment is None or moment.whole)

    def _is_past(self, slot: SlotName, now: datetime) -> bool:
        """Whether a day and a time that were named in different turns make a time that is over."""
        moment = self.state.slots.moment(slot)
        return moment is not None and moment.starts is not None and moment.starts <= now

    def _read_back(self, slot: SlotName) -> Advice:
        self.state = replace(self.state, reading_back=slot, asking=slot, due=None)
        words = self._say["read_back_time" if slot in _TIMES else "read_back"]
        return Advice(words.replace("{value}", self.state.slots.read_back(slot)))

    def _failed(self, slot: SlotName) -> Advice:
        """Ask again for a value that was denied or not understood, at the second time by keys; then give up."""
        slots = self.state.slots.fail(slot)
        failures = slots[slot].failures
        if failures >= (_PHONE_FAILURES if slot is SlotName.PHONE else _FAILURES):
            self.state = replace(self.state, slots=slots.decline(slot))
            return Advice(self._say["give_up"])
        self.state = replace(self.state, slots=slots, asking=slot)
        match slot:
            case SlotName.PHONE:
                return Advice(self._say["again_phone" if failures == 1 else "keypad"])
            case SlotName.EMAIL:
                return Advice(self._say["again_email"])
            case _:
                return Advice(self._say["again_time"])

    # ------------------------------------------------------------------ what the model is told

    def _is_open(self, slot: SlotName) -> bool:
        if slot in self.state.asked or self.state.slots[slot].state is not SlotState.EMPTY:
            return False
        if slot is SlotName.TEAM_SIZE:
            return self._phrases.asked_by(self._set.playbook.question) == slot
        return not getattr(self._set.lead.bant, slot)

    def _note(self, first: str = "") -> str:
        """Say in a line what the model needs: what is known, what is open, whether it may still push."""
        state = self.state
        parts = [first] if first else []
        known = [f"{name} {state.slots.read_back(name)}" for name, _ in state.slots]
        if known:
            parts.append(f"Known: {'; '.join(known)}.")
        if state.refusals == MAX_PUSHES:
            parts.append("They refused twice: one last offer, then leave.")
        elif state.refusals:
            parts.append("They refused once: you may offer once or twice more.")
        for slot in _TIMES:
            moment = state.slots.moment(slot)
            if moment is not None and not moment.whole:
                parts.append(f"Ask for the {'time' if moment.day else 'day'} of the {slot}.")
                break
        else:
            if self.to_ask and not state.refusals:
                parts.append(f"Still to ask: {self.to_ask[0].replace('_', ' ')}.")
        return " ".join(parts)

    def _fit(self) -> Fit:
        slots = self.state.slots
        authority = slots[SlotName.AUTHORITY].value
        if authority is Authority.ELSEWHERE:
            return Fit.NOT_QUALIFIED
        sized = slots[SlotName.BUDGET].value or slots[SlotName.TEAM_SIZE].value
        wanted = slots[SlotName.NEED].value and slots[SlotName.TIMING].value
        return Fit.QUALIFIED if sized and wanted and authority else Fit.UNKNOWN


def _misheard(slot: SlotName, words: str) -> bool:
    """Tell whether the words tried to give a slot that couldn't be read: digits, or an address with its marks."""
    spoken = tokens(words)
    match slot:
        case SlotName.PHONE:
            return is_bare_answer(words) and any(len(run.digits) >= 3 for run in digit_runs(spoken))
        case SlotName.EMAIL:
            return "at" in spoken and "dot" in spoken and not spoken_email(words)
        case _:
            return False


def _filled(phrases: SalesPhrases, playbook: Playbook) -> Mapping[str, str]:
    """Return the fixed words with our names in them."""
    names = {"{persona}": playbook.persona, "{company}": playbook.company}
    filled = {}
    for field in fields(phrases.say):
        text: str = getattr(phrases.say, field.name)
        for placeholder, value in names.items():
            text = text.replace(placeholder, value)
        filled[field.name] = text
    return filled
