"""What the API takes and tells of campaigns, as models: its bodies and its answers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from telephony_agent.live.dry_run import Prospect
from telephony_agent.sales.campaign import CampaignError, RetryRules
from telephony_agent.store import (
    CampaignLead,
    CampaignRecord,
    CampaignState,
    LeadState,
    NewCampaign,
    Page,
    Progress,
)
from telephony_agent.web.lead_models import RefusedRowAnswer
from telephony_agent.web.sales_models import PlaybookText

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CampaignCheck(_Asked):
    """Whom a campaign is to call: a CSV file as text, as for ``/leads/import``, or leads by their ids.

    A row with the number of a lead stands for that lead; what is known of it isn't overwritten. ``source`` is for the
    rows that name none.
    """

    csv: str | None = None
    lead_ids: tuple[Annotated[int, Field(ge=1, lt=2**31)], ...] | None = None
    source: Text = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.csv is None) == (self.lead_ids is None):
            raise ValueError("give either csv or lead_ids")
        return self


class CampaignBody(CampaignCheck):
    """A campaign to begin.

    ``pace`` is in calls per second; ``at_once`` how many may be live, 0 for as many as the engines have time for.
    ``retry`` changes what follows from a result of dialling: ``busy:15m:3`` (again after 15 minutes, three times at
    most), ``failed:1h`` (once) or ``voicemail:never``. ``playbook`` is one that its calls are made by instead of the
    server's, as YAML.
    """

    name: Name
    pace: Annotated[float, Field(ge=0.001, le=100)] = 1.0
    at_once: Annotated[int, Field(ge=0, le=1000)] = 0
    retry: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    playbook: PlaybookText | None = None

    @field_validator("retry")
    @classmethod
    def _rules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            RetryRules().changed(value)
        except CampaignError as error:
            raise ValueError(str(error)) from error
        return value

    def new(self, playbook_id: str) -> NewCampaign:
        """Return it as the store takes it."""
        return NewCampaign(self.name, self.pace, self.at_once, RetryRules().changed(self.retry).as_data(), playbook_id)


class CampaignQuery(_Asked):
    """Which page is wanted."""

    cursor: str | None = None
    limit: int = 20


class CampaignLeadQuery(_Asked):
    """Which of a campaign's leads are wanted."""

    state: Literal["waiting", "dialling", "done", "refused"] | None = None
    cursor: str | None = None
    limit: int = 50


class ProgressAnswer(BaseModel):
    """How many leads stand where: ``done`` by disposition, ``refused`` by reason; ``line_results`` of those done."""

    waiting: int
    dialling: int
    talking: int
    done: dict[str, int]
    refused: dict[str, int]
    line_results: dict[str, int]
    next_at: datetime | None


class RetryAnswer(BaseModel):
    """After how long a lead is dialled again, and how often at most."""

    after_s: int
    times: int


class CampaignAnswer(BaseModel):
    """A campaign as it stands; of the calls that were answered since ``period_from``, some were ``abandoned`` by us."""

    id: int
    name: str
    state: CampaignState
    reason: str
    pace: float
    at_once: int
    retry: dict[str, RetryAnswer]
    playbook_id: str
    """Of its own playbook; empty: its calls are made by the server's."""
    created_at: datetime
    updated_at: datetime
    period_from: datetime
    answered: int
    abandoned: int
    progress: ProgressAnswer
    refused_rows: tuple[RefusedRowAnswer, ...] = ()
    """Of the file that it began with; only told then."""

    @classmethod
    def of(cls, record: CampaignRecord, progress: Progress) -> Self:
        """Tell a campaign."""
        return cls(
            id=record.id,
            name=record.new.name,
            state=record.state,
            reason=record.reason,
            pace=record.new.per_s,
            at_once=record.new.at_once,
            retry={result: RetryAnswer.model_validate(rule) for result, rule in record.new.retries.items()},
            playbook_id=record.new.playbook_id,
            created_at=record.created_at,
            updated_at=record.updated_at,
            period_from=record.period_from,
            answered=record.answered,
            abandoned=record.abandoned,
            progress=ProgressAnswer.model_validate(asdict(progress)),
        )


class CampaignPage(BaseModel):
    """Some of the campaigns, newest first; ``next_cursor`` asks for those after them and is null on the last page."""

    campaigns: tuple[CampaignAnswer, ...]
    next_cursor: str | None


class CampaignLeadAnswer(BaseModel):
    """A lead in a campaign; ``results`` counts its calls by line result, ``call_id`` is its latest call's."""

    lead_id: int
    name: str
    phone: str
    state: LeadState
    call_id: str | None
    next_at: datetime | None
    attempts: int
    results: dict[str, int]
    line_result: str | None
    disposition: str | None
    reason: str
    detail: str


class CampaignLeadPage(BaseModel):
    """Some of a campaign's leads, in its order."""

    leads: tuple[CampaignLeadAnswer, ...]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[CampaignLead]) -> Self:
        """Tell a page of leads."""
        leads = (CampaignLeadAnswer(**asdict(lead), attempts=lead.attempts) for lead in page.items)
        return cls(leads=tuple(leads), next_cursor=page.next_cursor)


class ProspectAnswer(BaseModel):
    """What would happen to a lead now: ``allowed``, or why it is not called, and when it would be, if ever."""

    lead_id: int | None
    name: str
    phone: str
    reason: str
    detail: str
    waits_until: datetime | None


class CampaignCheckAnswer(BaseModel):
    """What would happen if a campaign began now."""

    prospects: tuple[ProspectAnswer, ...]
    refused_rows: tuple[RefusedRowAnswer, ...]

    @classmethod
    def of(cls, prospects: list[Prospect], refused: tuple[RefusedRowAnswer, ...]) -> Self:
        """Tell it."""
        return cls(
            prospects=tuple(ProspectAnswer.model_validate(asdict(one)) for one in prospects), refused_rows=refused
        )
