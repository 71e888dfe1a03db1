"""What the parts of one call share, from its first stream to its last: what it was given, and what it has said so far.

What belongs to a single stream (the ear, the floor, keys) isn't here: it is made anew with each, in ``call_flow``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from telephony_agent.core.answering import Answering
from telephony_agent.core.call_terms import Announcements, CallPolicy, CallRules
from telephony_agent.core.composer import Composer
from telephony_agent.core.conversation import Conversation
from telephony_agent.core.counsel import Counsel
from telephony_agent.core.leave import Leave
from telephony_agent.core.patience import Fillers, Reprompts
from telephony_agent.core.voice import Voice


class Calendar:
    """Tells the moments of a call by the calendar."""

    def __init__(self) -> None:
        self._began = (0.0, 0.0)

    def begin(self, at: float, now: float) -> None:
        """Note that ``now`` is ``at``, in seconds since 1970."""
        self._began = (at, now)

    def date(self, now: float) -> datetime:
        """Return a moment of the call, in UTC."""
        at, began = self._began
        return datetime.fromtimestamp(at + now - began, UTC)


@dataclass(frozen=True, slots=True)
class CallParts:
    """One call's parts."""

    rules: CallRules
    say: Announcements
    policy: CallPolicy
    counsel: Counsel
    conversation: Conversation
    calendar: Calendar
    voice: Voice
    fillers: Fillers
    reprompts: Reprompts
    composer: Composer
    leave: Leave
    answering: Answering

    @classmethod
    def make(
        cls, rules: CallRules, say: Announcements, conversation: Conversation, policy: CallPolicy, counsel: Counsel
    ) -> Self:
        """Make the parts of a new call."""
        calendar, voice = Calendar(), Voice()
        fillers = Fillers(say.fillers, after_s=rules.filler_after_s, again_s=rules.filler_again_s)
        reprompts = Reprompts(say.reprompts, after_s=rules.reprompt_after_s, hold_s=rules.hold_s)
        return cls(
            rules=rules,
            say=say,
            policy=policy,
            counsel=counsel,
            conversation=conversation,
            calendar=calendar,
            voice=voice,
            fillers=fillers,
            reprompts=reprompts,
            composer=Composer(conversation, voice, fillers, reprompts, say.apology, counsel, calendar.date),
            leave=Leave(rules.max_call_s),
            answering=Answering(policy),
        )

    def account(self, now: float) -> None:
        """Bring what was heard of each turn up to now."""
        self.voice.account(self.conversation.turns, now)
