"""The leads, by the API: list, add, look up, replace, delete, and import a CSV file."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from telephony_agent.store import LeadFilter, Store, UnknownRecord
from telephony_agent.web.body import body_of
from telephony_agent.web.lead_models import ImportAnswer, ImportQuery, LeadAnswer, LeadBody, LeadPage, LeadQuery
from telephony_agent.web.memory import remembered

CSV_LIMIT = 64 * 1024
"""Bytes of a file by the API: several hundred leads. Live calls wait while they are added, so longer files are for the
command line, which is a process of its own."""
MAX_ID = 2**31 - 1
"""The highest number that every database has for a lead."""


@remembered
async def leads(request: Request, store: Store) -> Response:
    """List leads in the order in which they were added, or add one."""
    if request.method == "POST":
        body = LeadBody.model_validate_json(await body_of(request))
        added = await store.leads.add(body.draft(), datetime.now(UTC))
        return _told(LeadAnswer.of(added), 201, {"Location": f"{request.url.path}/{added.id}"})
    query = LeadQuery.model_validate(dict(request.query_params))
    wanted = LeadFilter(**query.model_dump(exclude={"cursor", "limit"}))
    page = await store.leads.page(wanted, cursor=query.cursor, limit=query.limit)
    return _told(LeadPage(leads=tuple(map(LeadAnswer.of, page.items)), next_cursor=page.next_cursor))


@remembered
async def lead(request: Request, store: Store) -> Response:
    """Tell of one lead, replace what somebody entered of it, or delete it; its calls stay."""
    lead_id = _lead_id(request)
    if request.method == "DELETE":
        await store.leads.delete(lead_id)
        return Response(status_code=204)
    if request.method == "PUT":
        body = LeadBody.model_validate_json(await body_of(request))
        return _told(LeadAnswer.of(await store.leads.update(lead_id, body.draft(), datetime.now(UTC))))
    return _told(LeadAnswer.of(await store.leads.get(lead_id)))


@remembered
async def import_leads(request: Request, store: Store) -> Response:
    """Add every row of a CSV file that can be a lead, and say of every other one why not."""
    query = ImportQuery.model_validate(dict(request.query_params))
    data = await body_of(request, CSV_LIMIT)
    report = await store.leads.import_csv(data, datetime.now(UTC), source=query.source)
    return _told(ImportAnswer.model_validate(asdict(report)))


def _lead_id(request: Request) -> int:
    lead_id: int = request.path_params["lead_id"]
    if lead_id > MAX_ID:
        raise UnknownRecord(f"there is no lead {lead_id}")
    return lead_id


def _told(answer: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(answer.model_dump(mode="json"), status_code=status, headers=headers)
