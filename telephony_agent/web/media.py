"""The media socket: checks who comes, finds the call, then only carries text between the wire and the leg."""

from __future__ import annotations

import asyncio
import itertools

from loguru import logger
from starlette.websockets import WebSocket, WebSocketDisconnect

from telephony_agent.core.media_stream import MAX_MESSAGE_BYTES, MediaStream, Started
from telephony_agent.errors import AdmissionError, RemoteProtocolError
from telephony_agent.live.leg import Leg
from telephony_agent.live.switchboard import Switchboard
from telephony_agent.telemetry import Metrics
from telephony_agent.web.site import site_of

START_DEADLINE_S = 10.0
QUIET_LINE_S = 10.0
"""Twilio sends 50 messages a second through silence too; a socket quiet for so long is dead."""
UNSENT_S = 5.0
"""A message of ours that the socket doesn't take for so long: nobody reads at the other end."""
MAX_UNSENT = 5000
MESSAGES_PER_S = 200
"""Four times what Twilio sends."""
MESSAGES_AT_ONCE = 10_000
"""What may come beyond that: a line that stalled for minutes brings all of it at once."""

NORMAL, PROTOCOL_ERROR, UNSUPPORTED, POLICY, TOO_BIG = 1000, 1002, 1003, 1008, 1009


class SocketRefusedError(RemoteProtocolError):
    """The peer did something that ends the socket, with the close code to tell it so."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.close_code = code


async def media(websocket: WebSocket) -> None:
    """Serve one media stream from the upgrade to the end."""
    site = site_of(websocket)
    log = logger.bind(peer=websocket.client.host if websocket.client else "")
    path = (websocket.scope.get("raw_path") or websocket.scope["path"].encode()).decode("latin-1").split("?", 1)[0]
    if site.signatures is not None and not site.signatures.websocket(path, websocket.headers):
        log.warning("A stream without a valid signature was refused")
        await websocket.close()
        return
    if site.switchboard is None or not site.ready:
        log.warning("A stream was refused: not ready")
        await websocket.close()
        return
    await websocket.accept()
    await Socket(websocket, site.switchboard, site.metrics).serve()


class Socket:
    """One accepted websocket: a reader that feeds the leg and a writer that empties its outbox."""

    def __init__(self, websocket: WebSocket, switchboard: Switchboard, metrics: Metrics) -> None:
        self._websocket = websocket
        self._lines_lost = metrics.lines_lost
        self._switchboard = switchboard
        self._outbox: asyncio.Queue[str | None] = asyncio.Queue()
        self._leg: Leg | None = None
        self._reader: asyncio.Task[None] | None = None
        self._code = NORMAL
        self._log = logger

    async def serve(self) -> None:
        """Run until the call, the line or the peer's patience ends."""
        reader = self._reader = asyncio.create_task(self._read(), name="media-reader")
        writer = asyncio.create_task(self._write(), name="media-writer")
        await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        if self._leg is not None:
            # Does nothing when the call has ended already; ends it when only the socket has.
            self._leg.lose_line()
        self._outbox.put_nowait(None)
        reader.cancel()
        await asyncio.wait({reader})
        try:
            async with asyncio.timeout(2.0):
                await writer
                await self._websocket.close(self._code)
        except (TimeoutError, RuntimeError, WebSocketDisconnect, OSError):
            # The peer is gone or deaf; there is nobody to say goodbye to.
            writer.cancel()

    async def _read(self) -> None:
        try:
            await self._admit()
            await self._converse()
        except WebSocketDisconnect:
            return
        except SocketRefusedError as error:
            self._refuse(error.close_code, str(error))
        except RemoteProtocolError as error:
            self._refuse(PROTOCOL_ERROR, str(error))
        except AdmissionError as error:
            self._refuse(POLICY, str(error))

    async def _admit(self) -> None:
        """Wait for ``start`` and join the call that it names."""
        stream = MediaStream()
        try:
            async with asyncio.timeout(START_DEADLINE_S):
                while not isinstance(event := stream.receive(await self._receive()), Started):
                    pass
        except TimeoutError as error:
            raise SocketRefusedError(POLICY, "no start message in time") from error
        self._log = logger.bind(call_sid=event.call_sid, stream_sid=event.stream_sid)
        self._leg = self._switchboard.admit(
            stream, event, send=self._send, hang_up=lambda: self._outbox.put_nowait(None)
        )
        self._log.info("The stream has started")
        self._leg.begin()

    async def _converse(self) -> None:
        assert self._leg is not None
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(QUIET_LINE_S) as quiet:
                for count in itertools.count():
                    text = await self._receive()
                    now = loop.time()
                    quiet.reschedule(now + QUIET_LINE_S)
                    if count > MESSAGES_AT_ONCE + MESSAGES_PER_S * (now - began):
                        raise SocketRefusedError(POLICY, "more messages than any caller speaks")
                    self._leg.receive(text)
        except TimeoutError as error:
            self._lines_lost.labels("quiet").inc()
            raise SocketRefusedError(POLICY, "the line went quiet") from error

    async def _receive(self) -> str:
        # Messages that came together are handed out without a pause. Other calls have their turn between them.
        await asyncio.sleep(0)
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        if text is None:
            raise SocketRefusedError(UNSUPPORTED, "a binary message")
        if len(text) > MAX_MESSAGE_BYTES:
            raise SocketRefusedError(TOO_BIG, f"a message of {len(text)} characters")
        return str(text)

    def _send(self, text: str) -> None:
        if self._outbox.qsize() < MAX_UNSENT:
            self._outbox.put_nowait(text)
        elif self._code == NORMAL and self._reader is not None:
            self._refuse(POLICY, "the peer does not read")
            self._reader.cancel()

    async def _write(self) -> None:
        try:
            while (text := await self._outbox.get()) is not None:
                async with asyncio.timeout(UNSENT_S):
                    await self._websocket.send_text(text)
        except TimeoutError:
            self._lines_lost.labels("unread").inc()
            self._refuse(POLICY, "the peer does not read")
        except (RuntimeError, WebSocketDisconnect, OSError):
            # Gone in the middle of a message; the reader notices it too.
            return

    def _refuse(self, code: int, reason: str) -> None:
        self._code = code
        self._log.bind(reason=reason, code=code).warning("A stream was closed")
