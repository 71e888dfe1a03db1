"""A bare client of the media socket, for what Twilio would never send.

What the caller says goes out at once, faster than real time, because that is fair. Listening takes as long as it takes:
``hears`` lives through the call in frames, as Twilio does, until the agent's phrase has been played.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from telephony_agent.audio import FRAME_MS, FRAME_SAMPLES, encode_mulaw
from telephony_agent.simulator.signing import sign
from tests.loopback.agent import AUTH_TOKEN, PUBLIC_URL, Agent

ACCOUNT_SID = "AC" + "0" * 32
STREAM_SID = "MZ" + "1" * 32
SILENCE = b"\xff"
PATIENCE_S = 20
MEDIA_URL = f"{PUBLIC_URL.replace('https', 'wss')}/twilio/media"


def call_sid(number: int = 1) -> str:
    return f"CA{number:032d}"


def post(agent: Agent, path: str, form: dict[str, str], *, token: str = AUTH_TOKEN) -> httpx.Response:
    """Send a signed webhook."""
    signature = sign(f"{PUBLIC_URL}{path}", tuple(form.items()), token)
    return httpx.post(
        f"{agent.url}{path}", data=form, headers={"X-Twilio-Signature": signature}, trust_env=False, timeout=10
    )


def ask_for_stream(agent: Agent, sid: str) -> dict[str, str]:
    """Post the voice webhook; return the parameters of the stream that it answers with."""
    answer = post(agent, "/twilio/voice", {"CallSid": sid, "From": "+15005550006", "To": "+15005550006"})
    assert answer.status_code == 200
    stream = ET.fromstring(answer.text).find("Connect/Stream")
    assert stream is not None, answer.text
    assert stream.get("url") == MEDIA_URL
    return {str(p.get("name")): str(p.get("value")) for p in stream.iter("Parameter")}


@dataclass
class Client:
    """One socket, with counters as Twilio keeps them."""

    socket: ClientConnection
    call_sid: str
    timestamp_ms: int = 155
    unplayed: deque[dict[str, Any]] = field(default_factory=deque)

    async def start(self, parameters: dict[str, str], **changes: Any) -> None:
        await self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        start = {
            "accountSid": ACCOUNT_SID,
            "streamSid": STREAM_SID,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }
        await self.send({"event": "start", "sequenceNumber": "1", "start": start | changes, "streamSid": STREAM_SID})

    async def send(self, message: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(message))

    async def media(self, mulaw: bytes) -> None:
        for i in range(0, len(mulaw), FRAME_SAMPLES):
            payload = base64.b64encode(mulaw[i : i + FRAME_SAMPLES]).decode()
            media = {"track": "inbound", "chunk": "1", "timestamp": str(self.timestamp_ms), "payload": payload}
            await self.send({"event": "media", "sequenceNumber": "2", "media": media, "streamSid": STREAM_SID})
            self.timestamp_ms += FRAME_MS

    async def says(self, seconds: float = 0.8, pause_s: float = 0.7) -> None:
        """Send a burst of tone and then silence, at once."""
        t = np.arange(int(8000 * seconds))
        tone = (8000 * np.sin(2 * np.pi * 300 * t / 8000)).astype("<i2").tobytes()
        await self.media(encode_mulaw(tone) + SILENCE * int(8000 * pause_s))

    async def stop(self) -> None:
        stop = {"accountSid": ACCOUNT_SID, "callSid": self.call_sid}
        await self.send({"event": "stop", "sequenceNumber": "9", "streamSid": STREAM_SID, "stop": stop})

    async def until(self, event: str) -> dict[str, Any]:
        """Read until a message of this kind; marks are echoed at once on the way."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message: dict[str, Any] = json.loads(await self.socket.recv())
                if message["event"] == "mark":
                    await self._echo(message)
                if message["event"] == event:
                    return message

    async def hears(self) -> None:
        """Stay on the line, silent, until the agent's next phrase has been played; echo its mark.

        Every 20 ms one silent frame goes out and one frame of the agent's is played.
        """
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await self.media(SILENCE * FRAME_SAMPLES)
                await self._listen(FRAME_MS / 1000)
                played = self.unplayed.popleft() if self.unplayed else {"event": "silence"}
                if played["event"] == "mark":
                    return await self._echo(played)

    async def _listen(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    self.unplayed.append(json.loads(await self.socket.recv()))

    async def _echo(self, mark: dict[str, Any]) -> None:
        await self.send({**mark, "sequenceNumber": "5"})

    async def closed(self) -> tuple[int, str]:
        """Read until the agent closes; return its code."""
        with pytest.raises(ConnectionClosed) as gone:
            await asyncio.wait_for(self._read_on(), PATIENCE_S)
        assert gone.value.rcvd is not None, "the agent dropped the socket without a close frame"
        return gone.value.rcvd.code, gone.value.rcvd.reason

    async def _read_on(self) -> None:
        while True:
            await self.socket.recv()


@asynccontextmanager
async def connected(
    agent: Agent, sid: str, *, signature: str | None = None, path: str = "/twilio/media"
) -> AsyncIterator[Client]:
    """Open the signed media socket."""
    signed = sign(MEDIA_URL, (), AUTH_TOKEN) if signature is None else signature
    headers = {"X-Twilio-Signature": signed} if signed else {}
    url = agent.url.replace("http", "ws", 1) + path
    async with connect(url, additional_headers=headers, compression=None, proxy=None) as socket:
        yield Client(socket, sid)


@asynccontextmanager
async def calling(agent: Agent, sid: str) -> AsyncIterator[Client]:
    """Ask for a stream and start it."""
    parameters = ask_for_stream(agent, sid)
    async with connected(agent, sid) as client:
        await client.start(parameters)
        yield client


def wait_for(condition: Callable[[], bool], at_most_s: float = 10.0) -> None:
    """Wait for something that another thread brings about."""
    deadline, pause = time.monotonic() + at_most_s, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        pause.wait(0.02)
