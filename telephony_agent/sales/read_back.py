"""What a caller's words do to the slots: values are heard, read back, confirmed, denied, asked for again and given up.

Every method takes the guide's state and returns the one that follows from it, with the advice, if there is one.
Numbers, addresses and times only count once they were read back: a yes by a caller who heard all of it confirms them, a
no has them said again (a number by keys, at the second time), and at last we do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from telephony_agent.sales.contacts import spoken_email
from telephony_agent.sales.disposition import Disposition
from telephony_agent.sales.extraction import Listening, heard_values, is_bare_answer
from telephony_agent.sales.guide_state import Advice, GuideState, Setting
from telephony_agent.sales.notes import note
from telephony_agent.sales.questions import Questions
from telephony_agent.sales.sales_phrases import Signal
from telephony_agent.sales.slots import READ_BACK, Slots, SlotState
from telephony_agent.sales.spoken_numbers import digit_runs
from telephony_agent.sales.values import SlotName, Value
from telephony_agent.sales.words import plain, tokens

TIMES = (SlotName.MEETING, SlotName.CALLBACK)
_PHONE_FAILURES, _FAILURES = 3, 2


@dataclass(frozen=True, slots=True)
class Heard:
    """What a turn brought: the caller's words and what they want, our words before them that were heard, and when."""

    words: str
    ours: str
    signals: frozenset[Signal]
    now: datetime


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The rules of one call's slots."""

    setting: Setting
    questions: Questions
    say: Mapping[str, str]
    """The fixed words, by their names."""
    agreeable: tuple[SlotName, ...]
    """Of what a time may be agreed on: what the playbook offers."""

    def answer(self, state: GuideState, heard: Heard) -> tuple[GuideState, Advice | None]:
        """Settle a read-back by the caller's answer; no advice if there was none, or they spoke of something else."""
        slot, slots = state.reading_back, state.slots
        if slot is None:
            return state, None
        values = self._values(state, heard, slot)
        state = replace(state, reading_back=None)
        if slot in values and slots.hear({slot: values[slot]}) != slots:
            return replace(state, slots=slots.count_failure(slot)), None
        if Signal.NO in heard.signals:
            return self._failed(state, slot)
        if Signal.YES not in heard.signals:
            return state, None
        if plain(slots.read_back(slot)) not in plain(heard.ours):
            return self.read_back(state, slot)
        state = replace(state, slots=slots.confirm(slot))
        if slot in TIMES:
            return state, Advice(self.say["booked" if slot is SlotName.MEETING else "call_agreed"])
        return state, Advice(note=self.note(state, f"The {slot} is confirmed."))

    def hear(self, state: GuideState, heard: Heard, asking: str | None) -> tuple[GuideState, Advice | None]:
        """Take the values in the caller's words; read back those that have to be.

        Args:
            asking: the slot that our last fixed words asked for.
        """
        asked = self.questions.asked_by(heard.ours) or asking
        before = state.slots
        values = self._values(state, heard, asked)
        answers = self.questions.answers(heard.words, asked or "", heard.signals, before)
        slots = before.hear({**values, **answers})
        sources = state.sources
        for slot in values:
            sources = sources.plus(slots.read_back(slot), agreed=slot is SlotName.BUDGET)
        state = replace(state, slots=slots, sources=sources)
        for slot in (SlotName.EMAIL, SlotName.PHONE, *TIMES):
            if slot in values and slots[slot] != before[slot] and _is_complete(slots, slot):
                past = _is_past(slots, slot, heard.now)
                return self._failed(state, slot) if past else self.read_back(state, slot)
        if isinstance(asked, SlotName) and asked not in values and _misheard(asked, heard.words):
            return self._failed(state, asked)
        conclusion = self.questions.conclusion(slots)
        if answers and conclusion is not self.questions.conclusion(before):
            return self._conclude(state, conclusion)
        return state, None

    def read_back(self, state: GuideState, slot: SlotName) -> tuple[GuideState, Advice]:
        """Read a slot's value back."""
        words = self.say["read_back_time" if slot in TIMES else "read_back"]
        advice = Advice(words.replace("{value}", state.slots.read_back(slot)))
        return replace(state, reading_back=slot, asking=slot, due=None), advice

    def note(self, state: GuideState, first: str = "") -> str:
        """Write the note with which the model words a reply; ``first`` is what has just happened."""
        lead = self.setting.lead
        return note(state, lead.notes, self.questions.open(state.slots, state.asked, lead), first)

    def _conclude(self, state: GuideState, conclusion: Disposition | None) -> tuple[GuideState, Advice | None]:
        """Answer an answer that concludes the call; no advice if the model may."""
        match conclusion:
            case Disposition.MEETING_BOOKED:
                return state, Advice(self.say["booked"])
            case Disposition.CALLBACK if self.agreeable:
                # They want another time: to come, or to be called.
                slot = self.agreeable[0]
                advice = Advice(self.say["another_time" if slot is SlotName.MEETING else "call_when"])
                return replace(state, asking=slot, setting=slot), advice
            case Disposition.CALLBACK | Disposition.NOT_INTERESTED:
                slots = state.slots
                for slot in TIMES:
                    slots = slots.decline(slot) if slots[slot].value else slots
                return replace(state, slots=slots), Advice(self.say["noted"])
            case _:
                return state, None

    def _failed(self, state: GuideState, slot: SlotName) -> tuple[GuideState, Advice]:
        """Ask again for a value that was denied or not understood, at the second time by keys; then give up."""
        slots = state.slots.fail(slot)
        failures = slots[slot].failures
        if failures >= (_PHONE_FAILURES if slot is SlotName.PHONE else _FAILURES):
            return replace(state, slots=slots.decline(slot)), Advice(self.say["give_up"])
        match slot:
            case SlotName.PHONE:
                again = "again_phone" if failures == 1 else "keypad"
            case SlotName.EMAIL:
                again = "again_email"
            case _:
                again = "again_time"
        return replace(state, slots=slots, asking=slot), Advice(self.say[again])

    def _values(self, state: GuideState, heard: Heard, asked: str | None) -> Mapping[str, Value]:
        listening = Listening(
            now=heard.now,
            zone=self.setting.zone,
            phone=self.setting.lead.phone,
            asked=asked if isinstance(asked, SlotName) else None,
            wants_callback=Signal.CALLBACK in heard.signals,
            setting=state.setting,
            unfinished=next((slot for slot in TIMES if _is_unfinished(state.slots, slot)), None),
        )
        # A time for what isn't on offer is none.
        return {
            slot: value
            for slot, value in heard_values(heard.words, listening).items()
            if slot not in TIMES or slot in self.agreeable
        }


def is_settled(slots: Slots, slot: SlotName) -> bool:
    """Tell whether a time is agreed on: a day and an hour, and the caller has confirmed them."""
    moment = slots.moment(slot)
    return moment is not None and moment.whole and slots[slot].state is SlotState.CONFIRMED


def _is_unfinished(slots: Slots, slot: SlotName) -> bool:
    """Tell whether a day is known without its hour, or an hour without its day."""
    moment = slots.moment(slot)
    return moment is not None and not moment.whole


def _is_complete(slots: Slots, slot: SlotName) -> bool:
    """Tell whether there is enough to read back: of a time, both the day and the hour."""
    return slot in READ_BACK and not _is_unfinished(slots, slot)


def _is_past(slots: Slots, slot: SlotName, now: datetime) -> bool:
    """Tell whether a day and a time that were named in different turns make a time that is over."""
    moment = slots.moment(slot)
    return moment is not None and moment.starts is not None and moment.starts <= now


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
