"""Campaigns by the API: begin one, try one, look at one, pause it, resume it, stop it, delete it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from telephony_agent.errors import PlaybookError
from telephony_agent.live.campaign import CampaignDesk
from telephony_agent.live.dry_run import drafted, prospects
from telephony_agent.sales.campaign import CampaignError
from telephony_agent.store import CampaignRecord, CampaignState, LeadDraft, LeadState, Store, UnknownRecord
from telephony_agent.store.lead_csv import read_leads
from telephony_agent.web.api import answered, error_response
from telephony_agent.web.body import body_of
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
from telephony_agent.web.lead_models import RefusedRowAnswer
from telephony_agent.web.leads import MAX_ID
from telephony_agent.web.memory import remembered
from telephony_agent.web.owners import at_first
from telephony_agent.web.sales import playbook_of
from telephony_agent.web.site import site_of

BODY_LIMIT = 2 * 1024 * 1024
"""Bytes of a campaign: some ten thousand leads. They are added a few at a time, so that live calls go on."""
_CLOSED = (
    "no calls can be placed: the models aren't ready yet, or TWILIO_ACCOUNT_SID, _AUTH_TOKEN, _PHONE_NUMBER not set"
)

Endpoint = Callable[[Request, Store, CampaignDesk], Awaitable[Response]]


def campaigning(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """Let an endpoint run for who has the token, with the store and the campaigns at work."""

    @wraps(endpoint)
    async def guarded(request: Request, store: Store) -> Response:
        desk = site_of(request).campaigns
        if desk is None:
            return error_response(503, _CLOSED)
        try:
            return await endpoint(request, store, desk)
        except CampaignError as error:
            return error_response(409, str(error))
        except PlaybookError as error:
            return error_response(422, f"playbook: {error}")

    return remembered(guarded)


@remembered
async def campaigns(request: Request, store: Store) -> Response:
    """List campaigns, newest first."""
    query = CampaignQuery.model_validate(dict(request.query_params))
    page = await store.campaigns.page(cursor=query.cursor, limit=query.limit)
    told = [await _told(record, store) for record in page.items]
    return answered(CampaignPage(campaigns=tuple(told), next_cursor=page.next_cursor))


@campaigning
async def begin_campaign(request: Request, store: Store, desk: CampaignDesk) -> Response:
    """Begin a campaign."""
    body = CampaignBody.model_validate_json(await body_of(request, BODY_LIMIT))
    by = await playbook_of(site_of(request), body.playbook) if body.playbook is not None else None
    playbook_id = by.playbook_id if by is not None else ""
    lead_ids = body.lead_ids or ()
    refused: tuple[RefusedRowAnswer, ...] = ()
    if body.csv is not None:
        drafts, refused = await _read(body)
        lead_ids = await store.leads.enlist(drafts, desk.clock())
    if not lead_ids:
        return error_response(422, "nobody is to be called: there is no lead in it")
    record = await desk.begin(body.new(playbook_id), lead_ids)
    answer = (await _told(record, store)).model_copy(update={"refused_rows": refused})
    return answered(answer, status=201)


@campaigning
async def check_campaign(request: Request, store: Store, desk: CampaignDesk) -> Response:
    """Tell what would happen to each lead if a campaign began now."""
    body = CampaignCheck.model_validate_json(await body_of(request, BODY_LIMIT))
    now = desk.clock()
    refused: tuple[RefusedRowAnswer, ...] = ()
    if body.csv is not None:
        drafts, refused = await _read(body)
        records = await drafted(drafts, store, now)
    else:
        records = [await store.leads.get(lead_id) for lead_id in dict.fromkeys(body.lead_ids or ())]
    return answered(CampaignCheckAnswer.of(await prospects(records, store, desk.policy, now), refused))


@remembered
async def campaign(request: Request, store: Store) -> Response:
    """Tell how a campaign stands."""
    return answered(await _told(await store.campaigns.get(_id(request)), store))


@remembered
async def campaign_leads(request: Request, store: Store) -> Response:
    """List a campaign's leads, in its order."""
    query = CampaignLeadQuery.model_validate(dict(request.query_params))
    state = LeadState(query.state) if query.state is not None else None
    page = await store.campaigns.leads(_id(request), state=state, cursor=query.cursor, limit=query.limit)
    return answered(CampaignLeadPage.of(page))


@campaigning
async def pause_campaign(request: Request, store: Store, desk: CampaignDesk) -> Response:
    """Begin no more calls for now; those that are live go on."""
    return answered(await _told(await desk.pause(_id(request)), store))


@campaigning
async def resume_campaign(request: Request, store: Store, desk: CampaignDesk) -> Response:
    """Go on with a campaign that is paused or held."""
    return answered(await _told(await desk.resume(_id(request)), store))


@campaigning
async def stop_campaign(request: Request, store: Store, desk: CampaignDesk) -> Response:
    """Begin no more calls, ever; those that are live go on."""
    return answered(await _told(await desk.stop(_id(request)), store))


@remembered
async def delete_campaign(request: Request, store: Store) -> Response:
    """Delete a campaign that is over, and tell it for the last time; its leads and their calls stay."""
    last = await _told(await store.campaigns.get(_id(request)), store)
    if await store.campaigns.delete(last.id):
        return answered(last)
    if last.state in (CampaignState.FINISHED, CampaignState.STOPPED):
        return error_response(409, f"a call of campaign {last.id} goes on; try again when it has ended")
    return error_response(409, f"campaign {last.id} is {last.state}, so it can't be deleted; stop it first")


async def _told(record: CampaignRecord, store: Store) -> CampaignAnswer:
    return CampaignAnswer.of(record, await store.campaigns.progress(record.id))


async def _read(body: CampaignCheck) -> tuple[list[LeadDraft], tuple[RefusedRowAnswer, ...]]:
    rows, refused = await asyncio.to_thread(read_leads, (body.csv or "").encode(), body.source)
    told = tuple(RefusedRowAnswer.model_validate(asdict(row)) for row in refused)
    return [draft for _, draft in rows], told


def _id(request: Request) -> int:
    campaign_id: int = request.path_params["campaign_id"]
    if campaign_id > MAX_ID:
        raise UnknownRecord(f"there is no campaign {campaign_id}")
    return campaign_id


_ONE = "/api/v1/campaigns/{campaign_id:int}"
ROUTES = (
    Route("/api/v1/campaigns", at_first(campaigns), methods=["GET"]),
    Route("/api/v1/campaigns", at_first(begin_campaign), methods=["POST"]),
    Route("/api/v1/campaigns/check", at_first(check_campaign), methods=["POST"]),
    Route(_ONE, at_first(campaign), methods=["GET"]),
    Route(_ONE, at_first(delete_campaign), methods=["DELETE"]),
    Route(f"{_ONE}/leads", at_first(campaign_leads), methods=["GET"]),
    Route(f"{_ONE}/pause", at_first(pause_campaign), methods=["POST"]),
    Route(f"{_ONE}/resume", at_first(resume_campaign), methods=["POST"]),
    Route(f"{_ONE}/stop", at_first(stop_campaign), methods=["POST"]),
)
