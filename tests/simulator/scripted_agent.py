"""A tiny agent for the twin's tests: a real server on loopback whose every move a test scripts."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from twilio.request_validator import RequestValidator

from telephony_agent.simulator.mulaw import encode

PUBLIC = "https://agent.example"
TOKEN = "12345"
CONNECT = """<Response><Connect action="/twilio/stream-ended"><Stream url="wss://agent.example/twilio/media">
<Parameter name="token" value="one-use"/></Stream></Connect></Response>"""
HANG_UP = "<Response><Hangup/></Response>"
BUSY = "<Response><Say>All our lines are busy.</Say><Hangup/></Response>"


def tone(ms: int) -> bytes:
    """Make loud mu-law."""
    time = np.arange(ms * 8) / 8000
    return encode((4000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16))


@dataclass(frozen=True)
class Received:
    path: str
    form: dict[str, str]
    headers: dict[str, str]
    genuine: bool


class Leg:
    """The agent's end of one stream, for a test's script."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.headers = dict(websocket.headers)
        self.path = websocket.url.path
        self.messages: list[dict[str, Any]] = []
        self.stream_sid = ""

    async def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self.websocket.receive_text())
        self.messages.append(message)
        if message["event"] == "start":
            self.stream_sid = message["streamSid"]
        return message

    async def until(self, event: str, count: int = 1) -> dict[str, Any]:
        while True:
            message = await self.receive()
            count -= message["event"] == event
            if count == 0:
                return message

    async def until_closed(self) -> None:
        try:
            while True:
                await self.receive()
        except WebSocketDisconnect:
            return

    async def send(self, event: str, **rest: object) -> None:
        await self.websocket.send_text(json.dumps({"event": event, "streamSid": self.stream_sid, **rest}))

    async def speak(self, ms: int, mark: str = "") -> None:
        await self.send("media", media={"payload": base64.b64encode(tone(ms)).decode()})
        if mark:
            await self.send("mark", mark={"name": mark})

    def sent(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["event"] == event]


Script = Callable[[Leg], Awaitable[None]]


@dataclass
class Agent:
    """What a test gives, and what it finds afterwards."""

    script: Script
    documents: dict[str, str]
    url: str = ""
    requests: list[Received] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    account: dict[str, Any] = field(default_factory=dict)
    places: int = 100
    """How many calls it takes at once; the others hear that all lines are busy."""
    live: set[str] = field(default_factory=set)

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    async def answer(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        headers = dict(request.headers)
        signature = headers.get("x-twilio-signature", "")
        genuine = RequestValidator(TOKEN).validate(PUBLIC + request.url.path, form, signature)
        self.requests.append(Received(request.url.path, form, headers, genuine))
        document = self.documents.get(request.url.path)
        if request.url.path == "/twilio/voice":
            if len(self.live) < self.places:
                self.live.add(form["CallSid"])
            else:
                document = BUSY
        if form.get("CallStatus") == "completed":
            self.live.discard(form["CallSid"])
        if document is None:
            return Response(status_code=204)
        kind = "text/xml" if document.startswith("<") else "text/plain"
        return Response(document, media_type=kind) if document else Response(status_code=500)

    async def stream(self, websocket: WebSocket) -> None:
        leg = Leg(websocket)
        self.legs.append(leg)
        signature = leg.headers.get("x-twilio-signature", "")
        if not RequestValidator(TOKEN).validate("wss://agent.example" + leg.path, {}, signature):
            await websocket.close()
            return
        await websocket.accept()
        await self.script(leg)

    async def tell(self, request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer api":
            return Response(status_code=401)
        return JSONResponse({"call_sid": request.path_params["sid"], **self.account})


@asynccontextmanager
async def serving(
    script: Script, *, voice: str = CONNECT, ended: str = HANG_UP, places: int = 100, **documents: str
) -> AsyncIterator[Agent]:
    """Serve an agent; ``documents`` are further TwiML by the last part of their path."""
    pages = {"/twilio/voice": voice, "/twilio/stream-ended": ended}
    agent = Agent(script, {**pages, **{f"/twilio/{name}": text for name, text in documents.items()}}, places=places)
    app = Starlette(
        routes=[
            Route("/twilio/{page}", agent.answer, methods=["POST", "GET"]),
            WebSocketRoute("/twilio/media", agent.stream),
            Route("/api/v1/calls/{sid}", agent.tell),
        ]
    )
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, ws="websockets-sansio", lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    agent.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield agent
    finally:
        server.should_exit = True
        await task
        listener.close()
