"""The bounds of what a peer may take before anybody looks at who it is: time, bytes, and a seat in memory.

uvicorn waits for ever for a request to begin, to go on and to end, and takes a head of any length. Here a connection
that has brought no whole request ``ARRIVAL_DEADLINE_S`` after it was opened, or after the request's first byte, is
closed with 408; a head over ``MAX_HEAD_BYTES`` gets 431, a target over ``MAX_TARGET_BYTES`` 414, and a request over
``MAX_REQUEST_BYTES`` is cut with 413 (routes have lower limits of their own, and nicer words). Upgraded connections
have the deadlines of ``web.media`` and ``web.voice_chat``.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from loguru import logger
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

ARRIVAL_DEADLINE_S = 15.0
"""Twilio gives up after 15 s as well."""
MAX_TARGET_BYTES = 4096
MAX_HEAD_BYTES = 32 * 1024
MAX_REQUEST_BYTES = 3 * 1024 * 1024
"""Above the routes' own limits (a campaign's is 2 MiB), so that they are the ones who refuse, and say why."""


class HeadTooLargeError(Exception):
    """A request's target or head is over its bound; ends its parsing."""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP connection, with bounds."""

    _deadline: asyncio.TimerHandle | None = None
    _refusal: HTTPStatus | None = None
    _in_head = True
    _received = 0
    """Bytes since the present request began, to the nearest piece that was read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take the next piece of a request, within the bounds."""
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            # The next request of a connection that was kept, or what only looks like one.
            self._expect_request()
        self._received += len(data)
        super().data_received(data)
        if self._deadline is not None and self._in_head and self._received > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._deadline is not None and self._received > MAX_REQUEST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._deadline is None:
            self._expect_request()
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Take a head that is whole.

        Raises:
            HeadTooLargeError: it is over a bound, which the parser turns into its own error.
        """
        self._in_head = False
        if len(self.url) > MAX_TARGET_BYTES:
            self._refusal = HTTPStatus.REQUEST_URI_TOO_LONG
        elif sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if self._refusal is not None:
            raise HeadTooLargeError
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop waiting: the request is whole."""
        self._stop_waiting()
        self._received = 0
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, which has deadlines of its own from here on."""
        self._stop_waiting()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that can't be read, or whose head is over a bound."""
        if self._refusal is not None:
            self._refuse(self._refusal)
        else:
            super().send_400_response(msg)

    def _expect_request(self) -> None:
        self._in_head = True
        self._received = 0
        self._deadline = self.loop.call_later(ARRIVAL_DEADLINE_S, self._refuse, HTTPStatus.REQUEST_TIMEOUT)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: HTTPStatus) -> None:
        """Close the connection; say why, unless an answer is on its way."""
        self._stop_waiting()
        if self.transport.is_closing():
            return
        logger.bind(peer=self.client[0] if self.client else "", status=status.value).warning("A request was cut")
        cycle, among_others = self.cycle, bool(self.pipeline)
        answered = cycle is not None and (not cycle.response_complete if self._in_head else cycle.response_started)
        if not answered and not among_others:
            line = f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            self.transport.write(f"{line}content-length: 0\r\nconnection: close\r\n\r\n".encode())
        self.transport.close()


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's websocket connection, which does not keep what never became one."""

    def data_received(self, data: bytes) -> None:
        """Take the next piece; the first one is the whole head of the upgrade."""
        super().data_received(data)
        if not self.handshake_initiated and not self.transport.is_closing():
            # The head can't be read as an upgrade. uvicorn would wait for more, for ever.
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
