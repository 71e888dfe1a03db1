"""The voice chat's websocket: checks who comes, finds the call, carries its messages. docs/voice-chat.md tells all."""

from __future__ import annotations

import asyncio
import json

from loguru import logger
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from telephony_agent.live.spoken_call import LineTakenError, SpokenCall
from telephony_agent.live.text_call import CallOverError
from telephony_agent.live.voice_chat import LineLostError, Said, Told, VoiceChat, VoiceTerms
from telephony_agent.web.api import error_response
from telephony_agent.web.site import site_of
from telephony_agent.web.voice_wire import MAX_TEXT_BYTES, VoiceWire, message_of

SUBPROTOCOL = "bearer"
"""A browser can't set headers: it offers this subprotocol and the token as a second one."""
AUTH_DEADLINE_S = 10.0
SEND_DEADLINE_S = 20.0
"""A client that takes nothing for so long is deaf."""

NORMAL, POLICY, FAULT = 1000, 1008, 1011


class _Auth(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: str
    token: str


async def voice_chat(websocket: WebSocket) -> None:
    """Serve one voice chat from the upgrade to the end of the call, or of the line."""
    site = site_of(websocket)
    if not site.api_token:
        await _deny(websocket, 403, "the API is off; set AGENT_API_TOKEN to use it")
        return
    given = _given_token(websocket)
    if given is not None and not site.holds_token(given):
        await _deny(websocket, 401, "a bearer token is needed; see docs/voice-chat.md for the three ways to send it")
        return
    offered = websocket.scope.get("subprotocols") or []
    if given is None:
        # Who has shown no token learns nothing of calls.
        await websocket.accept()
        if not site.holds_token(await _token_of_first_message(websocket)):
            await _close(websocket, POLICY, "a token is needed")
            return
    desk = site.text_desk
    call = desk.find(websocket.path_params["call_id"]) if desk is not None else None
    if desk is None or desk.voice is None:
        await _turn_away(websocket, 503, "the models aren't ready yet; try again in a moment")
    elif not isinstance(call, SpokenCall):
        await _turn_away(websocket, 404, "no such call by voice; POST /api/v1/sales/start-call begins one")
    elif call.over:
        await _turn_away(websocket, 410, "the call is over; start another one")
    else:
        if given is not None:
            await websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        await _converse(websocket, call, desk.voice)


async def _converse(websocket: WebSocket, call: SpokenCall, terms: VoiceTerms) -> None:
    try:
        await VoiceChat(call, terms, SocketLine(websocket, call)).serve()
    except (LineTakenError, CallOverError) as error:
        await _close(websocket, POLICY, str(error))
    except Exception:  # the line's outermost edge: whatever happens, only this line ends
        logger.bind(call_id=call.call_id).exception("A voice chat was cut by a fault of ours")
        await _close(websocket, FAULT, "a fault of ours; open another socket")
    else:
        await _close(websocket, NORMAL, "")


class SocketLine:
    """A websocket as the line of a voice chat."""

    def __init__(self, websocket: WebSocket, call: SpokenCall) -> None:
        self._websocket = websocket
        self._call = call
        self._wire = VoiceWire()
        self._sending = asyncio.Lock()

    async def receive(self) -> Said:
        """Wait for what the client says, as ``live.voice_chat.Line`` has it."""
        while True:
            said = await asyncio.to_thread(self._wire.receive, await _message(self._websocket))
            if said is not None:
                return said

    async def send(self, told: Told) -> None:
        """Send JSON and what belongs to it, whole."""
        header, data = message_of(told, self._call)
        try:
            async with self._sending, asyncio.timeout(SEND_DEADLINE_S):
                await self._websocket.send_text(json.dumps(header))
                if data:
                    await self._websocket.send_bytes(data)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            # TimeoutError is an OSError. Starlette has no class of its own for a socket that closed meanwhile.
            raise LineLostError("the client is gone or takes nothing") from error


async def _message(websocket: WebSocket) -> str | bytes:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise LineLostError(f"closed with {message.get('code', 1005)}")
    data: bytes | None = message.get("bytes")
    return data if data is not None else str(message["text"])


def _given_token(websocket: WebSocket) -> str | None:
    """Return the token that came with the upgrade; None when there was none."""
    scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
    if scheme:
        return token if scheme.lower() == "bearer" else ""
    match websocket.scope.get("subprotocols") or []:
        case [str(name), str(token)] if name == SUBPROTOCOL:
            return token
    return None


async def _token_of_first_message(websocket: WebSocket) -> str:
    try:
        async with asyncio.timeout(AUTH_DEADLINE_S):
            message = await _message(websocket)
        if len(message) > MAX_TEXT_BYTES:
            return ""
        auth = _Auth.model_validate_json(message)
    except (TimeoutError, LineLostError, ValidationError):
        return ""
    return auth.token if auth.type == "auth" else ""


async def _turn_away(websocket: WebSocket, status: int, message: str) -> None:
    """Say no: as an answer to the upgrade, or behind it if that was answered already."""
    if websocket.application_state.name == "CONNECTED":
        await _close(websocket, POLICY, message)
    else:
        await _deny(websocket, status, message)


async def _deny(websocket: WebSocket, status: int, message: str) -> None:
    logger.bind(status=status, reason=message).warning("A voice chat was refused")
    await websocket.send_denial_response(error_response(status, message))


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    try:
        async with asyncio.timeout(2.0):
            await websocket.close(code, reason)
    except (RuntimeError, WebSocketDisconnect, OSError):
        # The client is gone or deaf; there is nobody to say goodbye to.
        return
