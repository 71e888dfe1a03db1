"""The note with which the model words a reply: what is known, what is open, whether it may still push."""

from __future__ import annotations

from collections.abc import Sequence

from telephony_agent.sales.guide_state import MAX_PUSHES, GuideState
from telephony_agent.sales.playbook_parts import Question
from telephony_agent.sales.values import SlotName

_LEAD_NOTES_LENGTH = 200


def note(state: GuideState, lead_notes: str, still_open: Sequence[Question], first: str = "") -> str:
    """Write the note in a line.

    Args:
        state: what the guide knows.
        lead_notes: what was known of the lead before the call.
        still_open: the questions that are to be asked, in order.
        first: what has just happened.
    """
    parts = [first] if first else []
    if lead_notes:
        parts.append(f"About them: {lead_notes[:_LEAD_NOTES_LENGTH]}")
    known = [f"{name} {state.slots.read_back(name)}" for name, _ in state.slots]
    if known:
        parts.append(f"Known: {'; '.join(known)}.")
    if state.refusals == MAX_PUSHES:
        parts.append("They refused twice: one last offer, then leave.")
    elif state.refusals:
        parts.append("They refused once: you may offer once or twice more.")
    unfinished = _unfinished_time(state)
    if unfinished:
        parts.append(unfinished)
    elif still_open and not state.refusals:
        question = still_open[0]
        parts.append(f"Ask: {question.ask}" if question.ask else f"Still to ask: {question.slot.replace('_', ' ')}.")
    return " ".join(parts)


def _unfinished_time(state: GuideState) -> str:
    for slot in (SlotName.MEETING, SlotName.CALLBACK):
        moment = state.slots.moment(slot)
        if moment is not None and not moment.whole:
            return f"Ask for the {'time' if moment.day else 'day'} of the {slot}."
    return ""
