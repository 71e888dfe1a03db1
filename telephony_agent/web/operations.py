"""What the API's document says of each operation that the route itself can't: one line a method and path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import BaseModel

from telephony_agent.web.call_models import (
    AddedAnswer,
    CallAnswer,
    CallPage,
    CallQuery,
    DoNotCallPage,
    NewEntry,
    PageQuery,
    RecordingQuery,
    RemovalQuery,
    RequestedAnswer,
    TranscriptAnswer,
)
from telephony_agent.web.calls import WAV
from telephony_agent.web.campaign_models import (
    CampaignAnswer,
    CampaignBody,
    CampaignCheck,
    CampaignCheckAnswer,
    CampaignLeadPage,
    CampaignLeadQuery,
    CampaignPage,
    CampaignQuery,
)
from telephony_agent.web.lead_models import ImportAnswer, ImportQuery, LeadAnswer, LeadBody, LeadPage, LeadQuery
from telephony_agent.web.sales_models import StartCall, StartedCall, TurnAnswer, TurnBody


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    ``answer`` is what success brings, with ``body``'s rule; None where it has no model (any object) or, with
    ``status`` 204, no body.
    """

    summary: str
    query: type[BaseModel] | None = None
    body: type[BaseModel] | str | None = None
    """A model for JSON, a media type for anything else."""
    answer: type[BaseModel] | str | None = None
    status: int = 200


OPERATIONS: Mapping[tuple[str, str], Operation] = MappingProxyType(
    {
        ("GET", "/calls"): Operation("List calls, newest first", CallQuery, answer=CallPage),
        ("GET", "/calls/{call_id}"): Operation("Tell all about a call, live or over", answer=CallAnswer),
        ("GET", "/calls/{call_id}/transcript"): Operation(
            "Tell what was said in a call, and what of ours was heard", answer=TranscriptAnswer
        ),
        ("GET", "/calls/{call_id}/recording"): Operation(
            "Send a call's recording, the caller left and us right; ranges may be asked for",
            RecordingQuery,
            answer=WAV,
        ),
        ("POST", "/calls/{call_id}/end"): Operation(
            "Let a live call take leave (409: it isn't live)", answer=RequestedAnswer, status=202
        ),
        ("POST", "/calls/{call_id}/transfer"): Operation(
            "Hand a live phone call over to AGENT_TRANSFER_NUMBER (409: it isn't live, or nobody is there)",
            answer=RequestedAnswer,
            status=202,
        ),
        ("GET", "/campaigns"): Operation("List campaigns, newest first", CampaignQuery, answer=CampaignPage),
        ("POST", "/campaigns"): Operation(
            "Begin a campaign with the leads of a CSV file, or with leads by their ids",
            body=CampaignBody,
            answer=CampaignAnswer,
            status=201,
        ),
        ("POST", "/campaigns/check"): Operation(
            "Tell of each lead whether a campaign would call it now, and if not, why; nothing is dialled or written",
            body=CampaignCheck,
            answer=CampaignCheckAnswer,
        ),
        ("GET", "/campaigns/{campaign_id}"): Operation("Tell how a campaign stands", answer=CampaignAnswer),
        ("DELETE", "/campaigns/{campaign_id}"): Operation(
            "Delete a campaign, and tell it for the last time; leads and calls stay (409: it isn't over)",
            answer=CampaignAnswer,
        ),
        ("GET", "/campaigns/{campaign_id}/leads"): Operation(
            "List a campaign's leads, in its order", CampaignLeadQuery, answer=CampaignLeadPage
        ),
        ("POST", "/campaigns/{campaign_id}/pause"): Operation(
            "Begin no more calls for now; live ones go on (409: it doesn't run)", answer=CampaignAnswer
        ),
        ("POST", "/campaigns/{campaign_id}/resume"): Operation(
            "Go on with a campaign that is paused, or held for abandoned calls (409: it isn't)", answer=CampaignAnswer
        ),
        ("POST", "/campaigns/{campaign_id}/stop"): Operation(
            "Begin no more calls, ever; live ones go on (409: it is over)", answer=CampaignAnswer
        ),
        ("GET", "/leads"): Operation(
            "List leads, in the order in which they were added", query=LeadQuery, answer=LeadPage
        ),
        ("POST", "/leads"): Operation("Add a lead", body=LeadBody, answer=LeadAnswer, status=201),
        ("POST", "/leads/import"): Operation(
            "Add the leads of a CSV file, and say of every other row why not",
            query=ImportQuery,
            body="text/csv",
            answer=ImportAnswer,
        ),
        ("GET", "/leads/{lead_id}"): Operation("Tell of a lead", answer=LeadAnswer),
        ("PUT", "/leads/{lead_id}"): Operation(
            "Replace what somebody entered of a lead; outcome and callback stay", body=LeadBody, answer=LeadAnswer
        ),
        ("DELETE", "/leads/{lead_id}"): Operation("Delete a lead; its calls stay", status=204),
        ("GET", "/do-not-call"): Operation("List the numbers that are never called", PageQuery, answer=DoNotCallPage),
        ("POST", "/do-not-call"): Operation(
            "Never call a number (200: it was on the list)", body=NewEntry, answer=AddedAnswer, status=201
        ),
        ("DELETE", "/do-not-call/{number}"): Operation(
            "Take a number off the list, for a reason that the compliance log keeps", RemovalQuery, status=204
        ),
        ("POST", "/sales/start-call"): Operation(
            "Begin a call; answers with its id and our first words. By phone it rings (202), or isn't allowed to"
            " (409, 422), or there is no place (429)",
            body=StartCall,
            answer=StartedCall,
            status=201,
        ),
        ("POST", "/sales/calls/{call_id}/turns"): Operation(
            "Take a turn; with Accept: text/event-stream the reply comes phrase by phrase",
            body=TurnBody,
            answer=TurnAnswer,
        ),
        ("GET", "/openapi.json"): Operation("Describe the API: this document"),
    }
)
