"""Makes the calls of a server: each with its flow, its conversation, its guide and its session."""

from __future__ import annotations

from telephony_agent.core.call_flow import CallFlow
from telephony_agent.core.conversation import Conversation
from telephony_agent.core.media_stream import CallSid
from telephony_agent.engines.base import Responder
from telephony_agent.live.call import Call, CallTerms
from telephony_agent.sales.guide_state import Setting
from telephony_agent.sales.lead import Lead

REPLY_ROOM_TOKENS = 150
"""Of the model's window, what is left free for the reply."""


class CallMaker:
    """Makes calls; they have no place yet, and nobody knows of them."""

    def __init__(self, responder: Responder, *, takes_notes: bool) -> None:
        """``takes_notes``: whether the model understands the guide's notes."""
        self._responder = responder
        self._takes_notes = takes_notes

    def from_carrier(self, sid: CallSid, direction: str, from_number: str, to_number: str, terms: CallTerms) -> Call:
        """Make a call that the carrier tells of."""
        other = to_number if direction == "outbound" else from_number
        setting = terms.desk.setting(other) if terms.desk is not None else None
        return self._make(sid, sid, direction, from_number, to_number, terms=terms, setting=setting)

    def to_lead(self, call_id: str, lead: Lead, our_number: str, terms: CallTerms) -> Call:
        """Make a call that is to be placed; the carrier has no name for it yet."""
        setting = terms.desk.setting_of(lead) if terms.desk is not None else None
        return self._make(call_id, CallSid(""), "outbound", our_number, lead.phone, terms=terms, setting=setting)

    def _make(
        self,
        call_id: str,
        sid: CallSid,
        direction: str,
        from_number: str,
        to_number: str,
        *,
        terms: CallTerms,
        setting: Setting | None,
    ) -> Call:
        conversation = Conversation(
            terms.system_prompt,
            budget=self._responder.context_tokens - REPLY_ROOM_TOKENS,
            count=self._responder.count_tokens,
            takes_notes=self._takes_notes,
        )
        guide = terms.desk.guide(setting) if terms.desk is not None and setting is not None else None
        return Call(
            call_id=call_id,
            call_sid=sid,
            direction=direction,
            from_number=from_number,
            to_number=to_number,
            flow=CallFlow(terms.rules, terms.said, conversation, terms.policy, guide),
            terms=terms,
            setting=setting,
            guide=guide,
            session=self._responder.session(),
            token="",
            expires_at=0.0,
        )
