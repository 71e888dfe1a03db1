"""Brings each request to the worker that it belongs to, before its endpoint runs (``web.siblings`` says how and why).

Whoever asks is checked first, here and by the owner again. A lone worker's requests pass these decorators untouched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import wraps

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from telephony_agent.web.api import error_response, refusal
from telephony_agent.web.server import WEBSOCKET_MAX_BYTES
from telephony_agent.web.siblings import SECRET_HEADER, Standing, WorkerIndex, target_of
from telephony_agent.web.site import Site, site_of

Webhook = Callable[[Request, Mapping[str, str]], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]
Stream = Callable[[WebSocket], Awaitable[None]]

BLOCKED_S = 20.0
"""A side of a websocket that takes nothing for so long is deaf."""
LOST = 1011
GOING_AWAY = 1001
_UNSENDABLE = frozenset({1005, 1006, 1015})
"""What stands for the lack of a close code, and is never sent."""
_OF_THE_UPGRADE = frozenset(
    {
        *("sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol"),
        *("connection", "upgrade", "host", SECRET_HEADER),
    }
)


def owned(webhook: Webhook, *, begins: bool = False) -> Webhook:
    """Let a signed webhook run where its call is; one that begins a call, where there is room."""

    @wraps(webhook)
    async def routed(request: Request, form: Mapping[str, str]) -> Response:
        call_id = request.query_params.get("call", "") or form.get("CallSid", "")
        body: bytes = request.state.body
        elsewhere = await _from_owner(request, call_id, lambda: _at_once(body), begins=begins)
        return elsewhere or await webhook(request, form)

    return routed


def placing(webhook: Webhook) -> Webhook:
    """Let the signed webhook of a new call run where there is room."""
    return owned(webhook, begins=True)


def at_owner(endpoint: Endpoint) -> Endpoint:
    """Let an endpoint of the API run where the call of its path is."""

    @wraps(endpoint)
    async def routed(request: Request) -> Response:
        if refusal(request) is not None:
            return await endpoint(request)
        elsewhere = await _from_owner(request, request.path_params["call_id"], request.body)
        return elsewhere or await endpoint(request)

    return routed


def where_room_is(endpoint: Endpoint) -> Endpoint:
    """Let an endpoint of the API that begins a call run where there is room."""

    @wraps(endpoint)
    async def routed(request: Request) -> Response:
        if refusal(request) is not None:
            return await endpoint(request)
        return await _from_owner(request, "", request.body, begins=True) or await endpoint(request)

    return routed


def at_first(endpoint: Endpoint) -> Endpoint:
    """Let an endpoint of the API run in the worker that does what is done once a server."""

    @wraps(endpoint)
    async def routed(request: Request) -> Response:
        if refusal(request) is not None:
            return await endpoint(request)
        return await _at(request, WorkerIndex(0)) or await endpoint(request)

    return routed


def at_named(endpoint: Endpoint) -> Endpoint:
    """Let an endpoint that tells of a worker run in the one that ``?worker=`` names, if it names one."""

    @wraps(endpoint)
    async def routed(request: Request) -> Response:
        name = request.query_params.get("worker", "")
        named = WorkerIndex(int(name)) if name.isdecimal() and len(name) <= 2 else None
        return (await _at(request, named) if named is not None else None) or await endpoint(request)

    return routed


def stream_at_named(endpoint: Stream) -> Stream:
    """Let a websocket be served by the worker that its path names."""

    @wraps(endpoint)
    async def routed(websocket: WebSocket) -> None:
        if not await _passed_on(websocket, WorkerIndex(websocket.path_params["worker"])):
            await endpoint(websocket)

    return routed


def stream_at_owner(endpoint: Stream) -> Stream:
    """Let a websocket be served where the call of its path is."""

    @wraps(endpoint)
    async def routed(websocket: WebSocket) -> None:
        site, call_id = site_of(websocket), websocket.path_params["call_id"]
        owner: WorkerIndex | None = None
        if site.siblings is not None and not site.siblings.is_sent_by_one(websocket.headers):
            owner = await site.siblings.owner_of(call_id, lambda: standing(site, call_id), begins=False)
        if owner is None or not await _passed_on(websocket, owner):
            await endpoint(websocket)

    return routed


async def ask(request: Request) -> Response:
    """Tell another worker how this one stands to a call; nobody else learns that this can be asked."""
    site = site_of(request)
    if site.siblings is None or not site.siblings.is_sent_by_one(request.headers):
        return error_response(404, "Not Found")
    return JSONResponse(standing(site, request.query_params.get("call", "")).model_dump())


def standing(site: Site, call_id: str) -> Standing:
    """Say how this worker stands to a call."""
    switchboard, desk = site.switchboard, site.text_desk
    knows = bool(call_id) and (
        (switchboard is not None and switchboard.find(call_id) is not None)
        or (desk is not None and desk.find(call_id) is not None)
    )
    return Standing(
        worker=site.siblings.worker.index if site.siblings is not None else WorkerIndex(0),
        knows=knows,
        ready=site.ready,
        calls=switchboard.places_taken if switchboard is not None else 0,
    )


async def _from_owner(
    request: Request, call_id: str, body: Callable[[], Awaitable[bytes]], *, begins: bool = False
) -> Response | None:
    """Return the answer of the other worker that a request belongs to; None if this one is to answer."""
    site = site_of(request)
    if site.siblings is None or site.siblings.is_sent_by_one(request.headers):
        return None
    owner = await site.siblings.owner_of(call_id, lambda: standing(site, call_id), begins=begins)
    return await site.siblings.pass_on(owner, request, await body()) if owner is not None else None


async def _at(request: Request, index: WorkerIndex) -> Response | None:
    """Return the answer of a worker, or that it can't answer; None if it is this one."""
    siblings = site_of(request).siblings
    if siblings is None or index == siblings.worker.index:
        return None
    answer = await siblings.pass_on(index, request, await request.body())
    return answer or error_response(503, f"worker {index} is not there now; try again in a moment")


async def _at_once(body: bytes) -> bytes:
    return body


# ------------------------------------------------------------------ websockets


async def _passed_on(websocket: WebSocket, index: WorkerIndex) -> bool:
    """Carry a websocket to another worker and back until one side ends it; False if this worker is to serve it."""
    siblings = site_of(websocket).siblings
    if siblings is None or siblings.is_sent_by_one(websocket.headers) or not 0 <= index < siblings.worker.count:
        return False
    worker = siblings.worker
    if index == worker.index:
        return False
    headers = [(name, value) for name, value in websocket.headers.items() if name not in _OF_THE_UPGRADE]
    offered = websocket.scope.get("subprotocols") or None
    try:
        async with unix_connect(
            worker.socket_path(index),
            f"ws://worker{target_of(websocket.scope).decode('latin-1')}",
            additional_headers=[*headers, (SECRET_HEADER, worker.secret)],
            subprotocols=offered,
            user_agent_header=None,
            compression=None,
            ping_interval=None,
            max_size=WEBSOCKET_MAX_BYTES,
        ) as owner:
            await websocket.accept(owner.subprotocol)
            with siblings.carrying():
                await _carry(websocket, owner)
    except InvalidStatus as refused:
        answer = refused.response
        said = Response(bytes(answer.body), answer.status_code, media_type=answer.headers.get("content-type"))
        await websocket.send_denial_response(said)
    except (OSError, TimeoutError, InvalidHandshake):
        return False
    return True


async def _carry(websocket: WebSocket, owner: ClientConnection) -> None:
    """Carry messages both ways until one side ends; the close code goes to the other one."""
    ways = {asyncio.create_task(_inward(websocket, owner)), asyncio.create_task(_outward(owner, websocket))}
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _inward(websocket: WebSocket, owner: ClientConnection) -> None:
    with suppress(ConnectionClosed, TimeoutError):
        while (message := await websocket.receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            async with asyncio.timeout(BLOCKED_S):
                await owner.send(text if text is not None else message["bytes"])
        code = message.get("code", GOING_AWAY)
        await owner.close(GOING_AWAY if code in _UNSENDABLE else code)


async def _outward(owner: ClientConnection, websocket: WebSocket) -> None:
    # Who is gone in the middle of a message is noticed by the other way as well.
    with suppress(TimeoutError, RuntimeError, WebSocketDisconnect, OSError):
        try:
            while True:
                message = await owner.recv()
                async with asyncio.timeout(BLOCKED_S):
                    await (websocket.send_text(message) if isinstance(message, str) else websocket.send_bytes(message))
        except ConnectionClosed as gone:
            said = gone.rcvd
            async with asyncio.timeout(BLOCKED_S):
                await websocket.close(said.code if said is not None else LOST, said.reason if said is not None else "")
