"""Whether the model may end a call: only for a reason that the rules know, and never while something waits.

A model that was trained to say goodbye sometimes says it too soon ("Yeah, e-mail's best." "Great, goodbye!"). So the
caller has to give a reason first: they take leave, refuse, put us off or want nothing else (``GuideState.parting``); or
what the call was for is settled, and there may be nothing left to say.
"""

from __future__ import annotations

from telephony_agent.sales.disposition import Fit
from telephony_agent.sales.guide_state import GuideState
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.questions import Questions
from telephony_agent.sales.read_back import TIMES, is_settled
from telephony_agent.sales.values import SlotName


def may_end(state: GuideState, questions: Questions, lead: Lead, reply: str) -> bool:
    """Tell whether the call may end behind a reply that wants it to; a reply that asks something doesn't end it."""
    if state.ending:
        return True
    waits = state.reading_back or state.due or state.proposed or state.offering_removal
    if waits or reply.rstrip().endswith("?"):
        return False
    return state.parting or _is_settled(state, questions, lead)


def _is_settled(state: GuideState, questions: Questions, lead: Lead) -> bool:
    slots = state.slots
    answered = not questions.open(slots, state.asked, lead) and questions.fit(slots) is not Fit.UNKNOWN
    return (
        answered
        or bool(state.to_send)
        or slots[SlotName.MESSAGE].value is not None
        or questions.conclusion(slots) is not None
        or any(is_settled(slots, slot) for slot in TIMES)
    )
