"""What the API's document says of each operation that the route itself can't: one line a method and path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import BaseModel

from telephony_agent.web.lead_models import ImportAnswer, ImportQuery, LeadAnswer, LeadBody, LeadPage, LeadQuery
from telephony_agent.web.memory import CallQuery, NewEntry, PageQuery, RemovalQuery
from telephony_agent.web.sales_models import StartCall, StartedCall, TurnAnswer, TurnBody


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    ``answer`` is the JSON of success; None where it has no model (any object) or, with ``status`` 204, no body.
    """

    summary: str
    query: type[BaseModel] | None = None
    body: type[BaseModel] | str | None = None
    """A model for JSON, a media type for anything else."""
    answer: type[BaseModel] | None = None
    status: int = 200


OPERATIONS: Mapping[tuple[str, str], Operation] = MappingProxyType(
    {
        ("GET", "/calls"): Operation("List calls, newest first", CallQuery),
        ("GET", "/calls/{call_sid}"): Operation("Tell all about a call that is live or ended lately"),
        ("GET", "/calls/{call_sid}/transcript"): Operation("Tell what was said in a call, and what of ours was heard"),
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
        ("GET", "/do-not-call"): Operation("List the numbers that are never called", PageQuery),
        ("POST", "/do-not-call"): Operation("Never call a number (200: it was on the list)", body=NewEntry, status=201),
        ("DELETE", "/do-not-call/{number}"): Operation(
            "Take a number off the list, for a reason that the compliance log keeps", RemovalQuery, status=204
        ),
        ("POST", "/sales/start-call"): Operation(
            "Begin a call; answers with its id and our first words", body=StartCall, answer=StartedCall, status=201
        ),
        ("POST", "/sales/calls/{call_id}/turns"): Operation(
            "Take a turn; with Accept: text/event-stream the reply comes phrase by phrase",
            body=TurnBody,
            answer=TurnAnswer,
        ),
        ("GET", "/openapi.json"): Operation("Describe the API: this document"),
    }
)
