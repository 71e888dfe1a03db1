"""Sales calls by the API: start one by text and talk in it, turn by turn, the reply whole or as it is worded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from telephony_agent.live.text_call import Answer, CallOverError, TextCall, TurnInProgressError
from telephony_agent.live.text_desk import NoPlaceError, TextDesk
from telephony_agent.sales.lead import LeadError
from telephony_agent.web.api import error_response, refusal
from telephony_agent.web.body import BodyTooLarge, body_of
from telephony_agent.web.sales_models import StartCall, StartedCall, TurnAnswer, TurnBody
from telephony_agent.web.site import site_of

EVENT_STREAM = "text/event-stream"
_MISSING = {
    "phone": "channel: 'phone' needs outbound calling, which this version doesn't have; use 'text'",
    "voice": "channel: 'voice' needs the voice-chat websocket, which this version doesn't have; use 'text'",
}

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
        except TurnInProgressError as error:
            return error_response(409, str(error))
        except CallOverError as error:
            return error_response(410, str(error))
        except BodyTooLarge as error:
            return error_response(413, str(error))
        except NoPlaceError as error:
            return error_response(503, str(error))

    return guarded


@talking
async def start_call(request: Request, desk: TextDesk) -> Response:
    """Begin a call; answer with its id and our first words."""
    wanted = StartCall.model_validate_json(await body_of(request))
    if wanted.channel in _MISSING:
        return error_response(501, _MISSING[wanted.channel])
    call = desk.start(wanted.lead.lead())
    return JSONResponse(StartedCall(call_id=call.call_id, message=call.greeting).model_dump(), status_code=201)


@talking
async def turn(request: Request, desk: TextDesk) -> Response:
    """Take a turn: the whole reply as JSON, or its phrases as server-sent events with the rest in the last one."""
    call = desk.find(request.path_params["call_id"])
    if call is None:
        return error_response(404, "no such call, or it ended too long ago")
    answer = call.take(TurnBody.model_validate_json(await body_of(request)).text)
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
    Route("/api/v1/sales/start-call", start_call, methods=["POST"]),
    Route("/api/v1/sales/calls/{call_id}/turns", turn, methods=["POST"]),
)
