"""Sales calls by the API: start one by phone, voice or text; talk in one by text, the reply whole or by phrases."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from telephony_agent.errors import PlaybookError
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.spoken_call import SpokenCall
from telephony_agent.live.text_call import Answer, CallOverError, TextCall, TurnInProgressError
from telephony_agent.live.text_desk import NoPlaceError, NoVoiceError, TextDesk
from telephony_agent.sales.lead import LeadError
from telephony_agent.store import StoreUnavailable
from telephony_agent.web.api import error_response, refusal
from telephony_agent.web.body import BodyTooLarge, body_of
from telephony_agent.web.dialling import dial
from telephony_agent.web.owners import at_owner, where_room_is
from telephony_agent.web.sales_models import StartCall, StartedCall, TurnAnswer, TurnBody
from telephony_agent.web.site import Site, site_of

EVENT_STREAM = "text/event-stream"
_NO_PHONE = (
    "channel: 'phone' needs an account: set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER, "
    "or use 'voice' or 'text'"
)

Endpoint = Callable[[Request, TextDesk], Awaitable[Response]]


def talking(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """Let an endpoint run for who has the token, with the text calls; errors become answers that name the fix."""

    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        if (refused := refusal(request)) is not None:
            return refused
        desk = site_of(request).text_desk
        if desk is None:
            return error_response(503, "the models aren't ready yet; try again in a moment")
        try:
            return await endpoint(request, desk)
        except ValidationError as error:
            first = error.errors()[0]
            return error_response(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        except LeadError as error:
            return error_response(422, f"lead.{error}")
        except PlaybookError as error:
            return error_response(422, f"playbook: {error}")
        except StoreUnavailable as error:
            return error_response(503, str(error))
        except TurnInProgressError as error:
            return error_response(409, str(error))
        except CallOverError as error:
            return error_response(410, str(error))
        except BodyTooLarge as error:
            return error_response(413, str(error))
        except NoVoiceError as error:
            return error_response(501, str(error))
        except NoPlaceError as error:
            return error_response(503, str(error))

    return guarded


@talking
async def start_call(request: Request, desk: TextDesk) -> Response:
    """Begin a call; answer with its id and our first words, which by phone are yet to come."""
    wanted = StartCall.model_validate_json(await body_of(request))
    site = site_of(request)
    if wanted.channel == "phone" and (site.dialler is None or site.store is None):
        return error_response(501, _NO_PHONE)
    by = await playbook_of(site, wanted.playbook) if wanted.playbook is not None else None
    if wanted.channel == "phone":
        assert site.dialler is not None
        assert site.store is not None
        return await dial(site.dialler, site.store, wanted, by.playbook_id if by is not None else "")
    assert wanted.lead is not None, "the model wants it for these channels"
    lead = wanted.lead.lead(datetime.now(UTC))
    call = desk.start_spoken(lead, by) if wanted.channel == "voice" else desk.start(lead, by)
    return JSONResponse(StartedCall(call_id=call.call_id, message=call.greeting).model_dump(), status_code=201)


async def playbook_of(site: Site, text: str) -> SalesDesk:
    """Take a playbook that comes with a request.

    Raises:
        PlaybookError: it can't be used.
        StoreUnavailable: it can't be kept.
    """
    if site.playbooks is None:
        raise PlaybookError("calls are made by this server's own playbook only, because it has no memory")
    return await site.playbooks.add(text, datetime.now(UTC))


@talking
async def turn(request: Request, desk: TextDesk) -> Response:
    """Take a turn: the whole reply as JSON, or its phrases as server-sent events with the rest in the last one."""
    call = desk.find(request.path_params["call_id"])
    if call is None:
        return error_response(404, "no such call, or it ended too long ago")
    if isinstance(call, SpokenCall):
        return error_response(409, "this call is by voice; talk in it by the websocket of docs/voice-chat.md")
    answer = call.take(TurnBody.model_validate_json(await body_of(request)).text)
    if call.guide.state.opted_out:
        # Who reads that nobody will call any more must be able to rely on it, even if we die now.
        await desk.written()
    if EVENT_STREAM in request.headers.get("accept", ""):
        # A proxy that gathers the phrases would take the point out of them.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_events(call, answer), media_type=EVENT_STREAM, headers=headers)
    return JSONResponse(TurnAnswer.of(call, await answer.text()).model_dump(mode="json"))


async def _events(call: TextCall, answer: Answer) -> AsyncIterator[str]:
    """Yield a ``phrase`` event for each phrase, and at last a ``turn`` event: what the JSON answer would be."""
    phrases: list[str] = []
    async for phrase in answer:
        phrases.append(phrase)
        yield _event("phrase", json.dumps({"text": phrase}))
    yield _event("turn", TurnAnswer.of(call, " ".join(phrases)).model_dump_json())


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"


ROUTES = (
    Route("/api/v1/sales/start-call", where_room_is(start_call), methods=["POST"]),
    Route("/api/v1/sales/calls/{call_id}/turns", at_owner(turn), methods=["POST"]),
)
