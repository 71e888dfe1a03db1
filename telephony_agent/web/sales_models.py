"""What the API takes and tells of sales calls, as models: its bodies and its answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, model_validator

from telephony_agent.live.text_call import TextCall
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.lead import Consent, ConsentBasis, Lead
from telephony_agent.sales.moments import Moment
from telephony_agent.sales.outcome import Outcome
from telephony_agent.sales.values import Value

MAX_PLAYBOOK = 48 * 1024
"""Characters; one that is half as long leaves the model no room for a talk."""
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
PlaybookText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PLAYBOOK)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConsentGiven(_Body):
    """By what right somebody is called: in which words, and since when (since the request, if that isn't said)."""

    basis: ConsentBasis = ConsentBasis.WRITTEN
    text: Words
    given_at: AwareDatetime | None = None

    def consent(self, now: datetime) -> Consent:
        """Return it as the sales side knows it."""
        return Consent(self.basis, self.text, self.given_at or now)


class Party(_Body):
    """Whom we talk to: ``phone`` in E.164 form, ``zone`` of IANA; what is unknown stays empty."""

    name: Name
    phone: Line = ""
    company: Line = ""
    role: Line = ""
    email: Line = ""
    zone: Line = ""
    consent: ConsentGiven | None = None

    def lead(self, now: datetime) -> Lead:
        """Return the lead of a request that comes now.

        Raises:
            LeadError: a field can't be used.
        """
        consent = self.consent.consent(now) if self.consent is not None else None
        return Lead(**self.model_dump(exclude={"consent"}), consent=consent)


class StartCall(_Body):
    """A call to begin, with a ``lead``, or by phone with the one of ``lead_id``.

    ``playbook`` is one that this call is made by instead of the server's, as YAML.
    By ``voice`` it goes on at the websocket ``/api/v1/sales/ws/voice-chat/{call_id}``; by ``phone`` it rings, and
    ``GET /api/v1/calls/{call_id}`` tells how it goes.
    """

    lead: Party | None = None
    lead_id: int | None = None
    channel: Literal["phone", "voice", "text"]
    playbook: PlaybookText | None = None

    @model_validator(mode="after")
    def _one_party(self) -> Self:
        if (self.lead is None) == (self.lead_id is None):
            raise ValueError("give either lead or lead_id")
        if self.lead is None and self.channel != "phone":
            raise ValueError("lead_id goes with the channel 'phone'; give the lead")
        return self


class TurnBody(_Body):
    """What the other party says in a turn."""

    text: Words


class StartedCall(BaseModel):
    """A call that has begun, and our first words."""

    call_id: str
    message: str


class SlotAnswer(BaseModel):
    """A value that the other party gave, and whether they confirmed it."""

    value: str
    state: str


class StateAnswer(BaseModel):
    """What is known of a call."""

    slots: dict[str, SlotAnswer]
    to_ask: list[str]
    reading_back: str | None
    disclosed: bool
    opted_out: bool
    wrong_number: bool
    transfer_wanted: bool
    callback_wanted: bool
    refusals: int
    objections: list[str]

    @classmethod
    def of(cls, guide: Guide) -> Self:
        """Tell what the guide knows."""
        state = guide.state
        return cls(
            slots={
                str(name): SlotAnswer(value=_in_words(value), state=state.slots[name].state.value)
                for name, value in state.slots
            },
            to_ask=[str(slot) for slot in guide.to_ask],
            reading_back=state.reading_back.value if state.reading_back is not None else None,
            disclosed=state.disclosed,
            opted_out=state.opted_out,
            wrong_number=state.wrong_number,
            transfer_wanted=state.transfer_wanted,
            callback_wanted=state.callback_wanted,
            refusals=state.refusals,
            objections=sorted(objection.value for objection in state.objections),
        )


class NextStepAnswer(BaseModel):
    """What was agreed on, and when."""

    kind: str
    at: datetime | None
    zone: str


class OutcomeAnswer(BaseModel):
    """What came of a call."""

    disposition: str
    summary: str
    next_step: NextStepAnswer | None

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Tell an outcome."""
        step = outcome.next_step
        return cls(
            disposition=outcome.disposition.value,
            summary=outcome.summary,
            next_step=NextStepAnswer(kind=step.kind.value, at=step.at, zone=step.zone) if step is not None else None,
        )


class TurnAnswer(BaseModel):
    """What a turn has come to; ``end_reason`` and ``outcome`` are null until the call has ended."""

    reply: str
    state: StateAnswer
    ended: bool
    end_reason: str | None
    outcome: OutcomeAnswer | None

    @classmethod
    def of(cls, call: TextCall, reply: str) -> Self:
        """Tell a call's last turn, with our words in it."""
        return cls(
            reply=reply,
            state=StateAnswer.of(call.guide),
            ended=call.over,
            end_reason=call.end_reason.value if call.end_reason is not None else None,
            outcome=OutcomeAnswer.of(call.outcome) if call.outcome is not None else None,
        )


def _in_words(value: Value) -> str:
    return value.in_words() if isinstance(value, Moment) else str(value)
