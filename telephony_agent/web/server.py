"""How the application is served: uvicorn, set to what was measured best, and polite when it is told to stop."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from telephony_agent.web.bounded_http import BoundedHttp, BoundedWebSocket

WEBSOCKET_MAX_BYTES = 7 * 1024 * 1024
"""Above our own limits (of a stream's messages 64 KiB, of a voice chat's 6 MiB), so that we are the ones who refuse."""


def server_config(app: Starlette, host: str, port: int) -> uvicorn.Config:
    """Return how the application is served: the measured best of uvicorn's loops, parsers and websockets, bounded.

    No message is inflated: a few bytes of ``permessage-deflate`` can be a thousand times as many.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=BoundedHttp,
        ws=BoundedWebSocket,
        ws_per_message_deflate=False,
        ws_max_size=WEBSOCKET_MAX_BYTES,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


class PoliteServer(uvicorn.Server):
    """A uvicorn that lets the live calls take leave before it closes their sockets; a second signal is not polite."""

    def __init__(self, drain: Callable[[], Awaitable[None]], config: uvicorn.Config) -> None:
        super().__init__(config)
        self._drain = drain
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and remember the loop: signals arrive outside of it."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain first, then stop."""
        if self._leaving is not None or self._loop is None:
            super().handle_exit(sig, frame)
        else:
            self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._leaving = asyncio.create_task(self._drain_and_stop(), name="drain")

    async def _drain_and_stop(self) -> None:
        try:
            await self._drain()
        finally:
            self.should_exit = True
