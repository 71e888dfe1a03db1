"""One call by the API: what is known of it, live or long over; its recording; and a live one's end or handing over."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from telephony_agent.core.events import EndReason
from telephony_agent.live.call import RequestRefusedError
from telephony_agent.store import Store, StoreUnavailable, UnknownRecord
from telephony_agent.web.api import answered, error_response, refusal
from telephony_agent.web.call_models import CallAnswer, RecordingQuery, RequestedAnswer
from telephony_agent.web.memory import remembered
from telephony_agent.web.site import Site, site_of

WAV = "audio/wav"


async def call(request: Request) -> Response:
    """Tell all about a call: from the switchboard, which knows the latest of it, or from the memory."""
    if (refused := refusal(request)) is not None:
        return refused
    site, call_id = site_of(request), request.path_params["call_id"]
    found = site.switchboard.find(call_id) if site.switchboard is not None else None
    if found is not None:
        return answered(CallAnswer.of(found, asyncio.get_running_loop().time()))
    return await _remembered_call(request) if site.store is not None else await _not_live(None, call_id)


@remembered
async def _remembered_call(request: Request, store: Store) -> Response:
    return answered(CallAnswer.of_transcript(await store.history.transcript(request.path_params["call_id"])))


@remembered
async def recording(request: Request, store: Store) -> Response:
    """Send a call's recording, the caller left and us right; ranges may be asked for."""
    part = RecordingQuery.model_validate(dict(request.query_params)).part
    call_id = (await store.history.call(request.path_params["call_id"])).call.call_id
    if store.recordings.growing(call_id):
        return error_response(409, "the call is still being recorded; try again when it is over")
    paths = await asyncio.to_thread(store.recordings.paths, call_id)
    if not paths:
        return error_response(404, "there is no recording of this call; AGENT_RECORD=true records those to come")
    if part > len(paths):
        return error_response(404, f"part: there is no part {part} of this recording; it has {len(paths)}")
    path = paths[part - 1]
    return FileResponse(path, media_type=WAV, filename=path.name)


async def end(request: Request) -> Response:
    """Let a live call take leave."""
    if (refused := refusal(request)) is not None:
        return refused
    site, call_id = site_of(request), request.path_params["call_id"]
    text_call = site.text_desk.find(call_id) if site.text_desk is not None else None
    if text_call is None:
        return await _request(site, call_id, EndReason.OPERATOR)
    if text_call.over:
        return error_response(409, "the call is not live: it is over")
    text_call.end(EndReason.OPERATOR)
    return answered(RequestedAnswer(call_id=call_id, requested="end"), status=202)


async def transfer(request: Request) -> Response:
    """Hand a live phone call over to the person that ``AGENT_TRANSFER_NUMBER`` names, and to nobody else."""
    if (refused := refusal(request)) is not None:
        return refused
    site, call_id = site_of(request), request.path_params["call_id"]
    if site.text_desk is not None and site.text_desk.find(call_id) is not None:
        return error_response(409, "only a phone call can be handed over")
    return await _request(site, call_id, EndReason.TRANSFER)


async def _request(site: Site, call_id: str, reason: EndReason) -> Response:
    """Pass a request on to a phone call."""
    found = site.switchboard.find(call_id) if site.switchboard is not None else None
    if site.switchboard is None or found is None:
        return await _not_live(site.store, call_id)
    try:
        site.switchboard.request(found, reason)
    except RequestRefusedError as error:
        return error_response(409, str(error))
    requested = RequestedAnswer(call_id=call_id, requested="transfer" if reason is EndReason.TRANSFER else "end")
    return answered(requested, status=202)


async def _not_live(store: Store | None, call_id: str) -> Response:
    """Say why nothing can be asked of a call that isn't on the switchboard."""
    try:
        if store is not None and store.is_open:
            await store.history.call(call_id)
            return error_response(409, "the call is not live: it is over")
    except (UnknownRecord, StoreUnavailable):
        pass
    return error_response(404, f"there is no call {call_id}")
